"""`memtool setup` on plain files, without a systemd that runs. With one: tests/systemd/test_setup.py."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from memtool.systemd.jobs import JOBS, STARTERS
from tests.cli.terminal import CTRL_D, Terminal
from tests.conftest import REAL_HOME, REPOSITORY, Program

USAGE, FAILED = 2, 1
TIMERS = [*STARTERS]
UNITS = {*STARTERS, *(job.unit for job in JOBS), "memtool.slice"}

pytestmark = pytest.mark.skipif(
    shutil.which("systemctl") is None, reason="no systemctl: units are NOT written"
)


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """Return an environment in which no systemd can be reached, the tester's own least of all."""
    runtime = home / "runtime"
    runtime.mkdir()
    return {"XDG_RUNTIME_DIR": str(runtime), "DBUS_SESSION_BUS_ADDRESS": "", "TZ": "Europe/Berlin"}


def paths(home: Path) -> set[str]:
    """Return everything in the home but what the environment made there."""
    own = {"tmp", "runtime"}
    return {
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.relative_to(home).parts[0] not in own
    }


def units(home: Path) -> Path:
    return home / ".config/systemd/user"


# --- Setting up -----------------------------------------------------------------------------


def test_without_a_terminal_nothing_is_asked_and_nothing_is_changed(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    for more in ([], ["--remove"], ["--remove", "--purge"]):
        done = memtool("setup", "--user", *more, env=environ)
        assert (done.returncode, done.stdout) == (USAGE, "")
        assert "--yes" in done.stderr
    assert paths(home) == set()


def test_a_dry_run_shows_plan_and_files_on_stdout_and_changes_nothing(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    done = memtool("setup", "--user", "--dry-run", env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert "days start at 00:00, weeks on Sunday; only a rebuild" in " ".join(done.stdout.split())
    added = {line[4:] for line in done.stdout.splitlines() if line.startswith("+++ ")}
    assert {Path(path).name for path in added} >= UNITS
    assert "+OnCalendar=*:0/15" in done.stdout
    assert paths(home) == set()


def test_setup_writes_units_pages_and_a_private_store_and_enables_the_timers(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    done = memtool("setup", "--user", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in units(home).iterdir() if path.is_file()} == UNITS
    links = {path.name for path in units(home).glob("*.target.wants/*")}
    assert links == set(TIMERS)
    assert stat.S_IMODE((home / ".local/state/memtool").stat().st_mode) == 0o700
    for place, shipped in {
        ".local/share/man/man1/memtool.1": "man/memtool.1",
        ".local/share/bash-completion/completions/memtool": "completions/memtool.bash",
        ".local/share/zsh/site-functions/_memtool": "completions/_memtool",
        ".config/fish/completions/memtool.fish": "completions/memtool.fish",
    }.items():
        assert (home / place).read_bytes() == (REPOSITORY / shipped).read_bytes()
        assert stat.S_IMODE((home / place).stat().st_mode) == 0o644
    assert "The sandbox was not tried" in done.stderr


def test_setting_up_again_touches_nothing(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    before = {path: path.lstat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    done = memtool("setup", "--user", "--yes", env=environ)
    assert "All files are up to date." in done.stderr
    assert {path: path.lstat().st_mtime_ns for path in before} == before


def test_what_an_older_version_wrote_is_renewed_or_removed_and_what_was_disabled_stays_so(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    timer = units(home) / "memtool-day-rollup.timer"
    timer.write_text("[Timer]\nOnCalendar=daily\n")
    old = units(home) / "memtool-ingest.service.d/10-sandbox.conf"
    mine = units(home) / "memtool-ingest.service.d/mine.conf"
    old.parent.mkdir()
    old.write_text("[Service]\nPrivateUsers=yes\n")
    mine.write_text("[Service]\nNice=5\n")
    link = units(home) / "timers.target.wants/memtool-compaction.timer"
    link.unlink()
    done = memtool("setup", "--user", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert "Persistent" in timer.read_text()
    assert (old.exists(), mine.exists(), link.is_symlink()) == (False, True, False)
    assert "not enabled: memtool-compaction.timer" in done.stderr


def test_no_enable_makes_no_link(memtool: Program, home: Path, environ: dict[str, str]) -> None:
    assert memtool("setup", "--user", "--yes", "--no-enable", env=environ).returncode == 0
    assert not (units(home) / "timers.target.wants").exists()


def test_settings_are_applied_too(memtool: Program, home: Path, environ: dict[str, str]) -> None:
    memtool("config", "set", "day_rollup.schedule", "*-*-* 05:00:00")
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    drop_in = units(home) / "memtool-day-rollup.timer.d/50-memtool.conf"
    assert "05:00:00" in drop_in.read_text()


def test_absolute_xdg_directories_are_used_and_relative_ones_ignored(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    own = {"XDG_CONFIG_HOME": str(home / "c o"), "XDG_DATA_HOME": str(home / "d")}
    before = paths(home)
    assert memtool("setup", "--user", "--yes", env={**environ, **own}).returncode == 0
    assert (home / "c o/systemd/user/memtool-ingest.timer").exists()
    assert (home / "d/bash-completion/completions/memtool").exists()
    done = memtool("setup", "--user", "--remove", "--purge", "--yes", env={**environ, **own})
    assert done.returncode == 0, done.stderr
    assert paths(home) == before
    relative = {"XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "d", "XDG_STATE_HOME": "s"}
    assert memtool("setup", "--user", "--yes", env={**environ, **relative}).returncode == 0
    assert (units(home) / "memtool-ingest.timer").exists()
    assert not {"c", "d", "s"} & paths(home)


def test_without_home_the_password_database_has_it(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    for unset in ("", "relative"):
        done = memtool(
            "setup", "--user", "--dry-run", "--json", env={**environ, "HOME": unset}, cwd=home
        )
        assert done.returncode == 0, done.stderr
        store = json.loads(done.stdout)["store"]
        assert store == str(REAL_HOME / ".local/state/memtool")


def test_what_the_shell_has_and_the_timers_have_not_is_said(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    own = {"XDG_STATE_HOME": str(home / "s"), "CLAUDE_CONFIG_DIR": str(home / "claude")}
    done = memtool("setup", "--user", "--dry-run", env={**environ, **own})
    said = "".join(done.stdout.split())
    assert f"configsetstore.path{home}/s/memtool" in said
    assert f"configsetagents.claude-code.roots{home}/claude" in said


def test_a_program_that_does_not_start_is_refused_before_anything_is_written(
    environ: dict[str, str], tmp_path: Path
) -> None:
    from memtool.errors import MemtoolError
    from memtool.systemd.setup import check_starts

    program = tmp_path / "memtool"
    program.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(MemtoolError, match="does not run"):
        check_starts(program, environ, None)  # as on a noexec mount: it may not be executed
    program.chmod(0o755)
    check_starts(program, environ, None)
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(MemtoolError, match="does not run"):
        check_starts(program, environ, None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--purge", "--yes"], "--purge goes with --remove"),
        (["--remove", "--no-enable", "--yes"], "--no-enable does not go with --remove"),
        (["--remove", "--with", "openai", "--yes"], "--with does not go with --remove"),
        (["--user", "--run-as", "root", "--yes"], "--run-as goes with --system"),
        (["--take-over", "root", "--yes"], "--take-over goes with --run-as"),
        (["--json", "--user"], "--json asks nothing"),
        (["--root", "r", "--remove", "--yes"], "--root writes"),
        (["--user", "--with", "opneai", "--dry-run"], "openai, anthropic"),
        pytest.param(
            ["--system", "--run-as", "nobody-is-called-so", "--dry-run"],
            "unknown user",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="--system needs root first"),
        ),
    ],
)
def test_wrong_usage_is_said_and_changes_nothing(
    memtool: Program, home: Path, environ: dict[str, str], arguments: list[str], says: str
) -> None:
    done = memtool("setup", *arguments, env=environ)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert says in done.stderr
    assert paths(home) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="asks what root has to say")
def test_root_is_asked_for_whom(memtool: Program, environ: dict[str, str]) -> None:
    done = memtool("setup", "--yes", env={**environ, "SUDO_USER": "mira"})
    assert done.returncode == USAGE
    assert "memtool setup --system --run-as mira" in done.stderr


def test_an_extra_is_added_by_the_tool_that_installed_memtool(
    memtool: Program, environ: dict[str, str]
) -> None:
    done = memtool("setup", "--user", "--dry-run", "--with", "openai,anthropic", env=environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("first runs") == 2
    assert "openai>=2" in done.stdout


def test_a_plan_as_json_names_every_file_and_changes_nothing(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    done = memtool("setup", "--user", "--dry-run", "--json", env=environ)
    plan = json.loads(done.stdout)
    assert (plan["kind"], plan["version"], plan["scope"]) == ("setup", 1, "user")
    assert plan["calendar"]["is_pinned"] is False
    assert {Path(file["path"]).name for file in plan["files"]} >= UNITS
    assert {file["action"] for file in plan["files"]} == {"write"}
    assert plan["enable"] == TIMERS
    assert paths(home) == set()


# --- In a terminal --------------------------------------------------------------------------


def sample(home: Path) -> None:
    """Let Claude Code have written the sample of demo/."""
    shutil.copytree(REPOSITORY / "demo/transcripts/projects", home / ".claude/projects")


def terminal(environ: dict[str, str], home: Path, *arguments: str) -> Terminal:
    return Terminal("setup", "--user", *arguments, environ={**os.environ, **environ}, cwd=home)


def test_it_asks_once_and_a_no_or_the_end_of_input_changes_nothing(
    home: Path, environ: dict[str, str]
) -> None:
    for answer in ("n\n", "maybe\nno\n", CTRL_D):
        with terminal(environ, home) as screen:
            screen.wait_for("Go on? [Y/n]")
            screen.type(answer)
            screen.wait_for("Nothing was changed.")
            assert screen.end() == FAILED
        assert paths(home) == set()


def test_a_yes_sets_up_and_takes_in_what_is_there(home: Path, environ: dict[str, str]) -> None:
    sample(home)
    with terminal(environ, home) as screen:
        screen.wait_for("Claude Code:")
        screen.wait_for("Go on? [Y/n]")
        screen.type("\n")
        screen.wait_for("Read these sessions now? [Y/n]")
        screen.type("y\n")
        screen.wait_for("Read")
        screen.wait_for("Try: memtool toc")
        assert screen.end() == 0
    assert (home / ".local/state/memtool/store").is_dir()
    with terminal(
        environ, home
    ) as screen:  # now the calendar is the memory's, and nothing is offered
        screen.wait_for("as the memory")
        screen.wait_for("none to change")
        screen.wait_for("Go on? [Y/n]")
        screen.type("y\n")
        screen.wait_for("Try: memtool toc")
        assert "Take in" not in screen.text
        assert screen.end() == 0


def test_a_purge_asks_and_its_default_is_no(home: Path, environ: dict[str, str]) -> None:
    store = home / ".local/state/memtool"
    with terminal(environ, home, "--yes") as screen:
        assert screen.end() == 0
    (store / "pause").mkdir()
    with terminal(environ, home, "--remove", "--purge") as screen:
        screen.wait_for("permanently")
        screen.wait_for("Remove it? [y/N]")
        screen.type("\n")
        screen.wait_for("Nothing was removed.")
        assert screen.end() == FAILED
    assert store.is_dir()


# --- Removing -------------------------------------------------------------------------------


def test_removal_leaves_the_files_and_directories_of_before(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    (home / ".local/share/man").mkdir(parents=True)  # empty, and not made by setup
    (home / ".config/fish").mkdir(parents=True)
    before = paths(home)
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    done = memtool("setup", "--user", "--remove", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert paths(home) == before
    done = memtool("setup", "--user", "--remove", "--yes", env=environ)
    assert done.returncode == 0
    assert "Nothing of memtool is set up here." in done.stderr


def test_removal_keeps_memory_settings_and_what_others_made_and_names_them(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    sample(home)
    assert memtool("ingest").returncode == 0
    assert memtool("config", "set", "day_rollup.jitter_s", "5").returncode == 0
    before = paths(home)
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    assert (units(home) / "memtool-day-rollup.timer.d/50-memtool.conf").exists()
    mine = units(home) / "memtool-ingest.timer.d/mine.conf"
    mine.parent.mkdir()
    mine.write_text("[Timer]\n")
    mask = units(home) / "memtool-week-rollup.timer"
    mask.unlink()
    mask.symlink_to("/dev/null")
    done = memtool("setup", "--user", "--remove", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    for path in (mine, home / ".local/state/memtool", home / ".config/memtool"):
        assert f"stays: {path} (" in done.stderr
    kept = {
        str(path.relative_to(home)) for path in (mine, *mine.parents) if path.is_relative_to(home)
    }
    assert paths(home) - before <= {*kept, ".local/state/memtool/setup.json"}
    assert before - paths(home) == set()
    done = memtool("setup", "--user", "--remove", "--purge", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert not mine.exists()
    assert not (home / ".local/state/memtool").exists()
    assert "The memory and the settings are deleted." in done.stderr


def test_a_purge_deletes_the_store_that_the_settings_name_elsewhere(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    elsewhere = home / "elsewhere"
    assert memtool("config", "set", "store.path", str(elsewhere)).returncode == 0
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    sample(home)
    assert memtool("ingest").returncode == 0
    (elsewhere / "mine.txt").write_text("not memtool's")
    done = memtool("setup", "--user", "--remove", "--purge", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in elsewhere.iterdir()] == ["mine.txt"]
    assert f"stays: {elsewhere}/mine.txt (not made by memtool)" in done.stderr
    assert "are deleted" not in done.stderr


def test_a_purge_deletes_a_store_behind_a_link_and_the_link(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    disk, link = home / "disk", home / ".local/state/memtool"
    disk.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(disk)
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    sample(home)
    assert memtool("ingest").returncode == 0
    (disk / "looked.json").write_text("{}")
    done = memtool("setup", "--user", "--remove", "--purge", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert (disk.exists(), link.is_symlink()) == (False, False)


def test_a_purge_leaves_a_directory_that_is_no_store_and_one_that_only_the_shell_names(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    documents, named = home / "documents", home / "named"
    for path in (documents, named):
        path.mkdir()
        (path / "mine.txt").write_text("not memtool's")
    assert memtool("config", "set", "store.path", str(documents)).returncode == 0
    own = {**environ, "MEMTOOL_STORE__PATH": str(named)}
    done = memtool("setup", "--user", "--remove", "--purge", "--yes", env=own)
    assert done.returncode == 0, done.stderr
    assert f"stays: {documents} (store.path names it, but it is no store of memtool)" in done.stderr
    assert f"stays: {named} (named by MEMTOOL_STORE__PATH only)" in done.stderr
    assert (documents / "mine.txt").exists()
    assert (named / "mine.txt").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to another user")
def test_a_purge_leaves_another_user_s_memory_that_the_settings_name(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    sample(home)
    others = home / "others"
    assert memtool("--store", others, "ingest").returncode == 0
    os.chown(others, 12_345, 12_345)
    assert memtool("config", "set", "store.path", str(others)).returncode == 0
    done = memtool("setup", "--user", "--remove", "--purge", "--yes", env=environ)
    assert f"stays: {others} (store.path names it, but it belongs to another user)" in done.stderr
    assert (others / "store/CURRENT").exists()


def test_a_masked_timer_stays_masked(memtool: Program, home: Path, environ: dict[str, str]) -> None:
    units(home).mkdir(parents=True)
    mask = units(home) / "memtool-week-rollup.timer"
    mask.symlink_to("/dev/null")
    done = memtool("setup", "--user", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert mask.readlink() == Path("/dev/null")
    assert not (units(home) / "timers.target.wants/memtool-week-rollup.timer").exists()


def test_a_purge_keeps_settings_that_it_cannot_read_since_they_may_name_a_store(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    config = home / ".config/memtool/config.toml"
    config.parent.mkdir()
    config.write_text("store.path = \n")
    done = memtool("setup", "--user", "--remove", "--purge", "--yes", env=environ)
    assert done.returncode == FAILED
    assert "config.toml" in done.stderr
    assert config.exists()
    assert not (units(home) / "memtool-ingest.timer").exists()


def test_a_removal_as_json_names_what_went_and_what_stays(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    assert memtool("setup", "--user", "--yes", env=environ).returncode == 0
    (home / ".config/memtool").mkdir()
    done = memtool("setup", "--user", "--remove", "--yes", "--json", env=environ)
    found = json.loads(done.stdout)
    assert (found["kind"], found["scope"], found["problems"]) == ("setup-remove", "user", [])
    assert str(units(home) / "memtool-ingest.timer") in found["removed"]
    assert found["stays"] == [{"path": str(home / ".config/memtool"), "why": "the settings"}]


# --- Packages and other schedulers ------------------------------------------------------------


def test_a_package_gets_its_files_below_the_root_and_nothing_elsewhere(
    memtool: Program, home: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "a root"
    done = memtool("setup", "--root", root, env=environ)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    system = root / "usr/lib/systemd/system"
    assert {path.name for path in system.iterdir() if path.is_file()} == UNITS
    assert (
        "\nExecStart=/usr/bin/memtool ingest\n" in (system / "memtool-ingest.service").read_text()
    )
    for name in (
        "usr/lib/sysusers.d/memtool.conf",
        "usr/lib/tmpfiles.d/memtool.conf",
        "usr/lib/systemd/system-preset/80-memtool.preset",
        "usr/share/man/man1/memtool.1",
        "usr/share/bash-completion/completions/memtool",
        "usr/share/fish/vendor_completions.d/memtool.fish",
    ):
        assert name in found
    assert all(name.startswith("usr/") for name in found)
    assert paths(home) == set()


def test_without_systemctl_a_crontab_is_printed_and_no_unit_is_written(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    done = memtool("setup", "--user", "--yes", env={**environ, "PATH": str(home / "tmp")})
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert [line.split("memtool ")[-1] for line in lines] == [
        f"{' '.join(job.command)} --scheduled" for job in JOBS
    ]
    assert "crontab -e" in done.stderr
    assert not units(home).exists()
    assert (home / ".local/share/man/man1/memtool.1").exists()


def test_removing_takes_memtool_out_of_the_agents_settings(
    memtool: Program, home: Path, environ: dict[str, str]
) -> None:
    old = '{\n  "model": "opus"\n}\n'
    settings = home / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text(old)
    for words in (("setup", "--user", "--yes"), ("hooks", "install", "claude-code", "--context")):
        assert memtool(*words, env=environ).returncode == 0
    assert memtool("mcp", "install", "claude-code", env=environ).returncode == 0
    broken = home / ".claude.json"
    assert "memtool" in broken.read_text()
    done = memtool("setup", "--user", "--remove", "--yes", env=environ)
    assert done.returncode == 0, done.stderr
    assert str(settings) in done.stderr
    assert settings.read_text() == old
    assert not broken.exists()
    assert not (home / ".local/share/memtool").exists()
    assert not (home / ".claude/skills/memtool").exists()
    settings.write_text("{")
    done = memtool("setup", "--user", "--remove", "--yes", env=environ)
    assert f"{settings}:1" in done.stderr
    assert settings.read_text() == "{"
