"""The configuration: layers, origins, and errors that name the place and the nearest right word."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool import settings
from memtool.agents.registry import AGENTS
from memtool.errors import ConfigError, StorageError
from memtool.paths import ConfigFile, Role
from memtool.settings import DEFAULT, REMOVED, Config, Setting, examine, load_config
from memtool.systemd.jobs import JOBS, SETTINGS
from memtool.text import nearest

NAMES = list(SETTINGS)
DEFAULTS = load_config({}, [], SETTINGS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def load(
    path: Path, text: str, environ: dict[str, str] | None = None, role: Role = Role.USER
) -> Config:
    path.write_text(text, encoding="utf-8")
    return load_config(environ or {}, [ConfigFile(path, role)], SETTINGS)


def fault(path: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(path, text)
    return caught.value


def test_without_files_everything_is_the_default() -> None:
    config = load_config({}, [ConfigFile(Path("/nowhere/config.toml"), Role.USER)], SETTINGS)
    assert config == DEFAULTS
    assert {config.value(row.key) == row.default for row in SETTINGS.values()} == {True}
    assert {config.origin(row.key) for row in SETTINGS.values()} == {DEFAULT}


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().calendar.timezone = "UTC"  # type: ignore[misc] # that it is refused is the promise


def test_later_layers_override_earlier_ones_and_each_value_knows_its_origin(tmp_path: Path) -> None:
    system, user = tmp_path / "system.toml", tmp_path / "user.toml"
    system.write_text(
        "[locks]\nwait_s = 1\n[jobs]\ndeadline_s = 1\n[summarizer]\nmax_bullets = 1\n"
    )
    user.write_text("[locks]\nwait_s = 2\n[jobs]\ndeadline_s = 2\n")
    config = load_config(
        {"MEMTOOL_LOCKS__WAIT_S": "3", "MEMTOOL_STORE__PATH": "/variable"},
        [ConfigFile(system, Role.SYSTEM), ConfigFile(user, Role.USER)],
        SETTINGS,
        options={"store.path": "/option"},
    )
    expected = {
        "summarizer.max_bullets": (1, str(system)),
        "jobs.deadline_s": (2, str(user)),
        "locks.wait_s": (3, "environment MEMTOOL_LOCKS__WAIT_S"),
        "store.path": ("/option", "option --store"),
        "summarizer.name": ("extractive", "default"),
    }
    assert {key: (config.value(key), str(config.origin(key))) for key in expected} == expected


def test_an_unknown_key_names_file_line_and_the_nearest_right_one(path: Path) -> None:
    error = fault(path, "[locks]\nwait_s = 3\n\n[calendar]\nweek_start = 'sunday'\n")
    assert error.message == f"{path}:5: calendar.week_start: there is no such setting"
    assert 'did you mean "calendar.week_starts_on"?' in error.hint


@pytest.mark.parametrize(
    "text", ["stray = 1", "calendar = 1", "[locks.wait_s]\nx = 1", "[[jobs]]\n", "[qqq]\nzzz=1"]
)
def test_a_misplaced_key_or_table_is_refused(path: Path, text: str) -> None:
    assert fault(path, text).message.startswith(str(path))


def test_a_bad_value_names_what_is_allowed(path: Path) -> None:
    error = fault(path, '[calendar]\nweek_starts_on = "Sundy"\n')
    assert error.message == f'{path}:2: calendar.week_starts_on cannot be "Sundy"'
    assert "one of monday, tuesday" in error.hint
    assert 'did you mean "sunday"?' in error.hint


def test_a_mistyped_zone_is_compared_with_all_zones(path: Path) -> None:
    assert 'did you mean "Europe/Paris"?' in fault(path, "calendar.timezone = 'europe/pari'").hint


def test_a_dotted_key_is_the_same_setting(path: Path) -> None:
    assert load(path, "locks.wait_s = 7").locks.wait_s == 7
    assert fault(path, "\nlocks.wait_s = true").message == f"{path}:2: locks.wait_s cannot be True"


BAD: dict[str, list[object]] = {
    "calendar.timezone": [
        "",
        "Europe",
        "Mars/Base",
        "../etc/passwd",
        "right/UTC",
        "localtime",
        3,
        "x\0y",
    ],
    "calendar.day_starts_at": ["24:00", "4:00", "04:60", "\u0660\u0664:\u0660\u0660", "04:00\n", 4],
    "calendar.week_starts_on": ["Sunday", "", 6],
    "store.path": ["relative", "a\0b", "/a\0b", 1],
    "ingest.claude_root": [".claude", []],
    **{row.roots_key: ["/a:b", 1] for row in AGENTS if row.roots},
    "summarizer.name": ["gpt", {}],
    "summarizer.max_bullets": [0, 21, 2.0, True, "5"],
    "locks.wait_s": [-1, 10**9, "5s"],
    "jobs.deadline_s": [-1, None],
}
GOOD: dict[str, list[str | int]] = {
    "calendar.timezone": ["auto", "Australia/Lord_Howe", "UTC"],
    "calendar.day_starts_at": ["00:00", "04:30", "23:59"],
    "calendar.week_starts_on": ["sunday", "monday", "wednesday"],
    "store.path": ["", "/a b", "~/x"],
    "ingest.claude_root": ["", "/c"],
    **{row.roots_key: ["", "/c", "~/c:/d"] for row in AGENTS if row.roots},
    "summarizer.name": ["extractive", "openai", "anthropic", "command", "mock"],
    "summarizer.max_bullets": [1, 20],
    "locks.wait_s": [0, 300],
    "jobs.deadline_s": [0, 3600],
}

for section in (job.section for job in JOBS):
    BAD[f"{section}.schedule"] = ["Sun\n[Service]", "%h", "daily # at night", "x" * 201, 4]
    GOOD[f"{section}.schedule"] = ["", "Sun *-*-* 02:00:00 Europe/Berlin; daily", "*-02~01 1:00"]
    BAD[f"{section}.jitter_s"] = [-1, 7 * 86_400 + 1, "5min"]
    GOOD[f"{section}.jitter_s"] = [0, 300]
    BAD[f"{section}.timeout_s"] = [0, 59, "infinity"]
    GOOD[f"{section}.timeout_s"] = [60, 7 * 86_400]
WHOLE_NUMBERS = {
    "window_tokens": (4_000, 2_000_000),
    "answer_tokens": (200, 64_000),
    "timeout_s": (5, 3600),
    "concurrency": (1, 16),
}
for name, (low, high) in WHOLE_NUMBERS.items():
    BAD[f"summarizer.{name}"] = [low - 1, high + 1, str(low), True]
    GOOD[f"summarizer.{name}"] = [low, high]
for name in ("calls_per_run", "calls_per_day", "tokens_per_run", "tokens_per_day"):
    BAD[f"budget.{name}"] = [-1, 10**12 + 1, "many", True]
    GOOD[f"budget.{name}"] = [0, 10**12]
BAD["summarizer.model"] = ["two\nlines", "x" * 201, 4]
GOOD["summarizer.model"] = ["", "qwen3:8b", "vendor/a model"]
BAD["summarizer.endpoint"] = ["localhost:11434", "ftp://x/v1", "https://", "http://a b/", 4]
GOOD["summarizer.endpoint"] = ["", "http://127.0.0.1:11434/v1", "https://example.org"]
BAD["summarizer.command"] = ["two\nlines", "x" * 1001, ["claude", "-p"]]
GOOD["summarizer.command"] = ["", "claude -p --model 'a b'"]
BAD["summarizer.command_writes"] = ["relative", "/a:b", "/a\0", 4]
GOOD["summarizer.command_writes"] = ["", "/a", "~/.claude:/b c"]
BAD["cost.prices"] = ["opus", "opus=5", "opus=5/25", "=1/2/3/4", "opus=a/b/c/d", "o p=1/2/3/4", 4]
GOOD["cost.prices"] = ["", "opus=5/25/0.5/6.25", "a-1=1/2/3/4; b/c = 0.1 / 0.2 / 0 / 1;"]
BAD["mcp.notes"] = ["", "true", "yes", 0, 1, None]
GOOD["mcp.notes"] = [False, True]
GOOD["mcp.scope"] = ["current", "all"]
BAD["mcp.scope"] = ["", "none", True, 0]
BAD["scheduler.on_failure"] = ["two\nlines", "tab\t", "x" * 1001, ["mail"]]
GOOD["scheduler.rollups_on_battery"] = ["run", "skip"]
BAD["scheduler.rollups_on_battery"] = ["", "yes", True, 0]
GOOD["scheduler.on_failure"] = ["", 'echo "$MEMTOOL_JOB" 100% | mail -s memtool me@example.org']


@pytest.mark.parametrize("key", NAMES)
def test_each_setting_takes_what_it_should_and_nothing_else(key: str) -> None:
    kind = SETTINGS[key].kind
    assert [value for value in GOOD[key] if not kind.accepts(value)] == []
    assert [value for value in BAD[key] if kind.accepts(value)] == []


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda row: str(row.key))
def test_each_setting_can_be_set_by_its_variable(setting: Setting) -> None:
    value = GOOD[setting.key][-1]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    config = load_config({setting.variable: text}, [], SETTINGS)
    assert config.value(setting.key) == value
    assert config.origin(setting.key).name == setting.variable


def test_an_unknown_variable_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"MEMTOOL_CALENDAR__TIME_ZONE": "UTC"}, [], SETTINGS)
    assert caught.value.message == "MEMTOOL_CALENDAR__TIME_ZONE: there is no such setting"
    assert "MEMTOOL_CALENDAR__TIMEZONE" in caught.value.hint


def test_a_bad_value_in_a_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r'MEMTOOL_LOCKS__WAIT_S: locks\.wait_s cannot be "soon"'):
        load_config({"MEMTOOL_LOCKS__WAIT_S": "soon"}, [], SETTINGS)


def test_other_variables_and_empty_ones_set_nothing() -> None:
    environ = {
        "MEMTOOL_TEST_DATA": "x",
        "MEMTOOL_CONFIG": "y",
        "A__B": "z",
        "MEMTOOL_LOCKS__WAIT_S": "",
    }
    assert load_config(environ, [], SETTINGS) == DEFAULTS


def test_an_empty_file_sets_nothing(path: Path) -> None:
    assert load(path, "# nothing yet\n") == DEFAULTS


def test_a_file_that_was_named_has_to_exist(path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config({}, [ConfigFile(path, Role.NAMED)], SETTINGS)
    path.write_text("")
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config({}, [ConfigFile(path / "below", Role.NAMED)], SETTINGS)
    assert load_config({}, [ConfigFile(path / "below", Role.USER)], SETTINGS) == DEFAULTS


def test_broken_toml_names_line_and_column(path: Path) -> None:
    error = fault(path, "[locks]\nwait_s = = 3\n")
    assert error.message.startswith(f"{path}: not valid TOML")
    assert "line 2" in error.message


def test_a_file_that_is_not_text_is_a_fault_of_the_config(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config({}, [ConfigFile(path, Role.USER)], SETTINGS)


def test_a_directory_in_the_place_of_the_file_is_an_io_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a directory"):
        load_config({}, [ConfigFile(tmp_path, Role.USER)], SETTINGS)


def test_a_file_of_the_system_that_others_may_not_read_is_passed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root keeps a service's settings to itself; other users' memtool must still run. One's own has to be readable."""

    def refuse(*_arguments: object, **_options: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert load_config({}, [ConfigFile(path, Role.SYSTEM)], SETTINGS) == DEFAULTS
    with pytest.raises(StorageError, match="permission denied"):
        load_config({}, [ConfigFile(path, Role.USER)], SETTINGS)


def test_all_faults_are_found_at_once(path: Path) -> None:
    path.write_text("[a]\nb = 1\n[locks]\nwait_s = 'x'\n")
    files = [ConfigFile(path, Role.USER), ConfigFile(path.with_name("none"), Role.NAMED)]
    found, faults = examine(
        {"MEMTOOL_JOBS__DEADLINE_S": "60", "MEMTOOL_X__Y": "1"}, files, SETTINGS
    )
    assert len(found) == 4
    assert len(faults) == 4


@pytest.mark.parametrize("key", REMOVED)
def test_a_setting_that_was_removed_is_warned_of_and_not_taken(path: Path, key: str) -> None:
    assert key not in SETTINGS
    section, _, name = key.partition(".")
    config = load(path, f"[{section}]\n{name} = 'anything'\n", {"MEMTOOL_JOBS__DEADLINE_S": "60"})
    (warning,) = config.warnings
    assert warning.startswith(f"{path}:2: {key} was removed")
    assert REMOVED[key] in warning
    assert config.origins.keys() == {"jobs.deadline_s"}


def test_the_nearest_word_ignores_case_and_may_be_none() -> None:
    assert nearest("europe/paris", ["auto", "Europe/Paris"]) == "Europe/Paris"
    assert nearest("zzzzzz", ["auto"]) == ""


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_crashes_the_reader(text: str) -> None:
    try:
        settings.parse(text, Path("x"))
    except ConfigError:
        return


JUNK: st.SearchStrategy[object] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.integers())
    | st.just({})
)


@given(st.sampled_from([*SETTINGS.values()]), JUNK)
def test_a_check_never_crashes_and_takes_only_the_settings_own_type(
    row: Setting, value: object
) -> None:
    if row.kind.accepts(value):
        assert type(value) is type(row.default)


@given(st.sampled_from([*SETTINGS.values()]), st.text())
def test_text_of_a_variable_is_never_misread(row: Setting, text: str) -> None:
    value = row.kind.read(text)
    is_truth = row.kind.is_truth and text == str(value).lower()
    assert value == text or is_truth or (row.kind.is_number and value == int(text))
