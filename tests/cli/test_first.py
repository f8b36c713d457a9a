"""From nothing to the first answer: what a reading command does where nothing is remembered yet."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from memtool.cli import running
from memtool.cli.first import take_in
from memtool.cli.options import Invocation
from memtool.context import Progress
from memtool.ledger.reading import read
from memtool.locks import Holder, job_lock_path, try_lock
from memtool.text import size
from tests.cli.golden import Golden
from tests.cli.history import NOW_US, call, grips_of
from tests.cli.terminal import CTRL_C, CTRL_D, Terminal
from tests.conftest import SOURCE, Program
from tests.memory import Memory

DAYS = ("2026-03-02", "2026-03-03")
STATE = (
    "/home/mira/.local/state"  # is not there: what is printed must not depend on where a test runs
)
pytestmark = pytest.mark.usefixtures("claude")
Output = pytest.CaptureFixture[str]


def record(day: str, number: int, role: str, text: str) -> dict[str, Any]:
    content: Any = text if role == "user" else [{"type": "text", "text": text}]
    return {
        "type": role,
        "uuid": f"6e3f2d3c-55c3-4d0f-9b3c-{day.replace('-', '')}{number:04}",
        "parentUuid": None,
        "sessionId": f"0d6c4a0e-2f7b-4d84-8c1f-{day.replace('-', '')}0000",
        "timestamp": f"{day}T10:{number:02}:00.000Z",
        "cwd": "/home/mira/src/teeladen",
        "version": "2.1.0",
        "message": {"role": role, "content": content},
    }


@pytest.fixture
def claude(home: Path) -> Path:
    """Return Claude Code's directory, with a session on each of two days."""
    directory = home / ".claude"
    project = directory / "projects/-home-mira-src-teeladen"
    project.mkdir(parents=True)
    for day in DAYS:
        lines = (
            record(day, 1, "user", f"Why do customers pay twice on {day}?"),
            record(day, 2, "assistant", "Nothing notices the second click. The button stays."),
        )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (project / f"{day}.jsonl").write_text(text)
    return directory


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "MEMTOOL_CALENDAR__TIMEZONE": "Europe/Berlin"}


def store_of(home: Path) -> Path:
    return home / ".local/state/memtool"


@contextmanager
def terminal(*arguments: str | Path, environ: Mapping[str, str], columns: int = 80) -> Any:
    with Terminal(
        *arguments, environ=environ, cwd=Path(environ["HOME"]), columns=columns
    ) as opened:
        yield opened


def piped(
    *words: str, environ: Mapping[str, str], within: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the program, with its output in a pipe, within another program."""
    return subprocess.run(
        [*within, sys.executable, "-m", "memtool", *words],
        env={**environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def the_grip(memtool: Program) -> str:
    """Return a grip as it is in any memory of these sessions."""
    for words in (["ingest"], ["rollup", "all"]):
        assert memtool("--store", "twin", *words).returncode == 0
    shown = memtool("--store", "twin", "show", DAYS[0], "--json").stdout
    return str(json.loads(shown)["grips"][0]["id"])


# On a terminal


@pytest.mark.parametrize("columns", [80, 40])
def test_the_question_and_what_no_says(
    claude: Path, environ: dict[str, str], golden: Golden, columns: int
) -> None:
    more = {"XDG_STATE_HOME": STATE, "CLAUDE_CONFIG_DIR": str(claude)}
    with terminal("toc", environ=environ | more, columns=columns) as opened:
        opened.wait_for("[Y/n] ")
        opened.type("n\n")
        assert opened.end() == 0
        golden(f"first-{columns}", opened.text)
        assert max(map(len, opened.text.splitlines())) <= columns


@pytest.mark.parametrize("answer", ["\n", "y\n", "what?\nYES\n"])
def test_yes_takes_in_everything_and_goes_on_with_what_was_asked(
    environ: dict[str, str], home: Path, answer: str
) -> None:
    with terminal("toc", "--depth", "4", environ=environ) as opened:
        opened.wait_for("[Y/n] ")
        opened.type(answer)
        opened.wait_for("Read 8 new events, wrote 7 summaries")
        opened.wait_for("Mon 2 Mar 2026  · Why do customers pay twice")
        assert opened.end() == 0
        assert "not summarized yet" not in opened.text
    jobs = [row.job for row in read(store_of(home)).runs]
    assert sorted(jobs) == ["day-rollup", "ingest", "month-rollup", "week-rollup", "year-rollup"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", DAYS[0]], "Mon 2 Mar 2026 · Why do"),
        (["grip", ""], "Nothing notices the second click"),
        (["events", "--project", "teeladen"], "Why do customers"),
        (["stats"], "2 sessions"),
        (["export"], "Why do customers"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_each_reading_command_offers_it(
    environ: dict[str, str], memtool: Program, words: list[str], told: str
) -> None:
    words = [word or the_grip(memtool) for word in words]
    with terminal(*words, environ=environ) as opened:
        opened.wait_for("[Y/n] ")
        opened.type("y\n")
        opened.wait_for("Read 8 new events")
        opened.wait_for(told)
        assert opened.end() == 0


def test_an_open_period_is_summarised_too(
    claude: Path, environ: dict[str, str], memtool: Program
) -> None:
    """The first answer is not "not summarized yet", also where all there is was said today."""
    today = datetime.now(ZoneInfo("Europe/Berlin")).date().isoformat()
    (project,) = claude.glob("projects/*")
    line = json.dumps(record(today, 1, "user", "Why is it slow?")) + "\n"
    (project / "today.jsonl").write_text(line)
    assert take_in(Invocation(environ, NOW_US)).code == 0
    shown = memtool("show", today, "--json", env={"MEMTOOL_CALENDAR__TIMEZONE": "Europe/Berlin"})
    assert json.loads(shown.stdout)["title"] == "Why is it slow?"


def test_a_store_named_for_this_call_is_only_made_on_a_clear_yes(
    environ: dict[str, str], home: Path
) -> None:
    named = home / "typo"
    with terminal("--store", named, "toc", environ=environ) as opened:
        opened.wait_for("[y/N] ")
        opened.type("\n")
        opened.wait_for(f"memtool --store {named} ingest")
        assert opened.end() == 0
    assert not named.exists()


def test_the_end_of_input_is_no_answer(environ: dict[str, str], home: Path) -> None:
    with terminal("toc", environ=environ) as opened:
        opened.wait_for("[Y/n] ")
        opened.type(CTRL_D)
        opened.wait_for("Nothing was ingested.")
        assert opened.end() == 0
    assert not store_of(home).exists()


def test_what_is_neither_yes_nor_no_is_asked_again_but_not_for_ever(
    environ: dict[str, str], home: Path
) -> None:
    with terminal("toc", environ=environ) as opened:
        opened.wait_for("[Y/n] ")
        opened.type("what\nis\nthis\n")
        opened.wait_for("Please answer y or n.")
        opened.wait_for("Nothing was ingested.")
        assert opened.end() == 0
    assert not store_of(home).exists()


def test_ctrl_c_at_the_question_does_nothing(environ: dict[str, str], home: Path) -> None:
    with terminal("toc", environ=environ) as opened:
        opened.wait_for("[Y/n] ")
        opened.type(CTRL_C)
        assert opened.end() == 130
        assert "Traceback" not in opened.text
    assert not store_of(home).exists()


def test_ctrl_c_keeps_what_was_done_and_says_how_to_go_on(
    environ: dict[str, str], memtool: Program
) -> None:
    """The summarizer is a program that never answers: the line that shows the progress appears while it is awaited."""
    more = {"MEMTOOL_SUMMARIZER__NAME": "command", "MEMTOOL_SUMMARIZER__COMMAND": "sleep 1000"}
    with terminal("toc", environ=environ | more) as opened:
        opened.wait_for("The summaries are written by command")
        opened.wait_for("[Y/n] ")
        opened.type("y\n")
        opened.wait_for("day-rollup: 1 of 4, day:2026-03-03")
        opened.type(CTRL_C)
        opened.wait_for("Stopped. What was done is kept. To go on:")
        opened.wait_for("memtool rollup all --include-open")
        assert opened.end() == 130
    kept = json.loads(memtool("events", "--json").stdout)["events"]
    assert len(kept) == 8


def test_it_waits_for_an_ingest_that_is_at_work(environ: dict[str, str], home: Path) -> None:
    root = store_of(home)
    root.mkdir(parents=True, mode=0o700)
    other = Holder(os.getpid(), "ingest", NOW_US, "run")
    with terminal("toc", environ=environ) as opened:
        opened.wait_for("[Y/n] ")
        lock = try_lock(job_lock_path(root, "ingest"), other)
        assert lock is not None
        with lock:
            opened.type("y\n")
            opened.wait_for("waiting for the job: ingest")
        opened.wait_for("Read 8 new events")
        assert opened.end() == 0


def test_a_slip_is_said_before_anything_is_offered(environ: dict[str, str]) -> None:
    for words in (
        ["toc", "soon"],
        ["show", "soon"],
        ["grip", "xyz"],
        ["events", "--since", "soon"],
    ):
        with terminal(*words, environ=environ) as opened:
            assert opened.end() == 2
            assert "No memory yet" not in opened.text


def test_without_transcripts_it_says_where_it_looked(
    claude: Path, environ: dict[str, str], home: Path
) -> None:
    shutil.rmtree(claude)
    with terminal("toc", environ=environ, columns=200) as opened:
        opened.wait_for(f"No session of Claude Code was found below {home}/.claude/projects.")
        opened.wait_for("CLAUDE_CONFIG_DIR")
        opened.wait_for("memtool ingest PATH")
        assert opened.end() == 0


def test_what_cannot_be_read_is_said(claude: Path, environ: dict[str, str]) -> None:
    capabilities = "-dac_override,-dac_read_search"  # or root may read everything
    drop = ["setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities]
    (claude / "projects").chmod(0)
    done = piped("toc", environ=environ, within=drop if os.getuid() == 0 else [])
    (claude / "projects").chmod(0o700)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"Cannot read {claude}/projects: permission denied (as " in done.stderr
    assert f"ls -ld {claude}/projects" in done.stderr


# Without a person


@pytest.mark.parametrize(
    "words",
    [["toc"], ["show", DAYS[0]], ["grip", "1234"], ["events"], ["stats"], ["export"], ["verify"]],
    ids=lambda words: words[0],
)
def test_piped_it_says_what_to_do_and_prints_nothing(
    memtool: Program, home: Path, words: list[str]
) -> None:
    done = memtool(*words)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"no memory yet in {store_of(home)}. Claude Code has 2 sessions here" in done.stderr
    assert not store_of(home).exists()


def test_the_hint_can_be_followed_as_it_stands(memtool: Program) -> None:
    hint = memtool("toc").stderr.partition("hint: ")[2].strip()
    for command in hint.split(" && "):
        program, *words = shlex.split(command)
        assert program == "memtool"
        assert memtool(*words).returncode == 0
    assert "Why do customers pay twice" in memtool("toc", DAYS[0]).stdout


def test_a_hint_names_the_store_and_the_config_that_were_named(
    memtool: Program, home: Path
) -> None:
    (home / "my config").touch()
    said = memtool("--store", "some where", "--config", "my config", "toc").stderr
    assert "memtool --store 'some where' --config 'my config' ingest" in said


def test_where_the_transcripts_are_elsewhere_the_hint_helps(
    claude: Path, memtool: Program, home: Path
) -> None:
    moved = claude.rename(home / "elsewhere")
    said = memtool("toc").stderr
    assert f"No session of Claude Code was found below {home}/.claude/projects." in said
    assert "hint: if they are elsewhere, set CLAUDE_CONFIG_DIR" in said
    assert "2 sessions" in memtool("toc", env={"CLAUDE_CONFIG_DIR": str(moved)}).stderr
    assert memtool("ingest", moved).returncode == 0
    assert memtool("toc").stdout != ""


@pytest.mark.parametrize(
    "words",
    [["toc"], ["show", "2026-12-03"], ["grip", ""], ["events"], ["stats"], ["verify"]],
    ids=lambda words: words[0],
)
def test_json_is_the_commands_own_empty_object(
    memory: Memory, home: Path, capsys: Output, words: list[str]
) -> None:
    words = [word or grips_of(memory, "Why do")[0] for word in words]
    assert call(memory.root, *words, "--json") in {0, 1}  # verify: it is not healthy
    full = json.loads(capsys.readouterr().out)
    assert call(home / "none", *words, "--json") == 0
    said = capsys.readouterr()
    empty = json.loads(said.out)
    assert empty.keys() == full.keys()
    assert (empty["kind"], empty["version"]) == (full["kind"], full["version"])
    assert (empty["exists"], full["exists"]) == (False, True)
    assert "no memory yet" in said.err
    assert not (home / "none").exists()


def test_json_is_not_asked_about_on_a_terminal_either(environ: dict[str, str]) -> None:
    with terminal("toc", "--json", environ=environ) as opened:
        assert opened.end() == 0
        assert "[Y/n]" not in opened.text
        assert '"exists": false' in opened.text


def test_an_export_of_nothing_leaves_the_file_that_is_there(memtool: Program, home: Path) -> None:
    kept = home / "kept.jsonl"
    kept.write_text("one\n")
    done = memtool("export", "-o", kept, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "kind": "export", "version": 1, "path": None,
        "events": 0, "revisions": 0, "rewinds": 0, "tombstones": 0,
    }  # fmt: skip
    assert memtool("export", "-o", kept).returncode == 0
    assert kept.read_text() == "one\n"


# An empty store


def test_a_store_without_anything_in_it_is_as_good_as_none(
    environ: dict[str, str], home: Path, memtool: Program
) -> None:
    (home / "notes.txt").write_text("no transcript\n")
    assert memtool("ingest", home / "notes.txt", env=environ).returncode == 65
    assert store_of(home).exists()
    assert json.loads(memtool("toc", "--json").stdout)["exists"] is False
    with terminal("toc", environ=environ) as opened:
        opened.wait_for("No memory yet. Claude Code has 2 sessions here")
        opened.wait_for("[Y/n] ")
        assert "time zone" not in opened.text  # it has one
        opened.type("y\n")
        opened.wait_for("Why do customers")
        assert opened.end() == 0


def test_what_was_forgotten_is_not_offered_again(environ: dict[str, str], memtool: Program) -> None:
    assert memtool("ingest").returncode == 0
    assert memtool("forget", "--agent", "claude-code", "--yes").returncode == 0
    with terminal("toc", environ=environ) as opened:
        assert opened.end() == 0
        assert "[Y/n]" not in opened.text


# The work itself


def test_taking_in_goes_on_after_a_damaged_record_and_says_so(
    claude: Path, environ: dict[str, str], capsys: Output
) -> None:
    (file,) = claude.glob("projects/*/2026-03-02.jsonl")
    with file.open("a") as stream:
        stream.write("{broken\n")
    assert take_in(Invocation(environ, NOW_US)).code == 1
    said = capsys.readouterr()
    assert "one damaged record" in said.err
    assert "Read 8 new events, wrote 7 summaries" in said.err
    assert said.out == ""


def test_taking_in_for_json_prints_nothing(environ: dict[str, str], capsys: Output) -> None:
    assert take_in(Invocation(environ, NOW_US), as_json=True).code == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_elsewhere_than_on_a_terminal_the_progress_is_plain_lines(
    claude: Path, environ: dict[str, str], capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_EVERY_S", 0)
    size_bytes = sum(file.stat().st_size for file in claude.glob("projects/*/*.jsonl"))
    assert take_in(Invocation(environ, NOW_US)).code == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"ingest: 0%, 0 bytes of {size(size_bytes)}, file 1 of 2"
    assert f"ingest: 100%, {size(size_bytes)} of {size(size_bytes)}, file 2 of 2" in lines
    assert "day-rollup: 25%, 1 of 4, day:2026-03-03" in lines
    assert not any("\x1b" in line for line in lines)


def test_what_ingest_says_of_its_progress_adds_up(
    claude: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what grew only the new part counts, of what is unchanged nothing."""
    seen: list[Progress] = []
    monkeypatch.setattr("memtool.cli.running._Lines.show", lambda _, step: seen.append(step))
    files = sorted(claude.glob("projects/*/*.jsonl"))
    assert take_in(Invocation(environ, NOW_US)).code == 0
    ingested = [step for step in seen if step.is_bytes]
    total = sum(file.stat().st_size for file in files)
    assert {step.total for step in ingested} == {total}
    assert [step.done for step in ingested] == sorted(step.done for step in ingested)
    assert (ingested[0].done, ingested[-1].done) == (0, total)

    seen.clear()
    more = json.dumps(record(DAYS[0], 3, "user", "And on Sunday?")) + "\n"
    with files[0].open("a") as stream:
        stream.write(more)
    assert take_in(Invocation(environ, NOW_US)).code == 0
    ingested = [step for step in seen if step.is_bytes]
    assert (ingested[0].total, ingested[-1].done) == (len(more), len(more))


def test_ingest_and_rollup_show_nothing_where_they_are_piped(environ: dict[str, str]) -> None:
    for words in (["ingest"], ["rollup", "all"]):
        done = piped(*words, environ=environ)
        assert done.returncode == 0
        assert not set(done.stderr) & set("\r\x1b%")
