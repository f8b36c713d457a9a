"""Programs as models: what they are asked, what their ends mean, and that they start no memtool. All are real ones."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest
from msgspec import structs

from memtool.errors import ConfigError, MemtoolError, UnavailableError
from memtool.model.segmenting import tokens_of
from memtool.summarize import Options, Reply, SummaryFailed, check_draft, make
from memtool.summarize.models.command import Program, argv_of, text_of
from memtool.summarize.models.prompt import Prompt
from memtool.summarize.models.writer import PromptTooLong
from tests.summarize.requests import day, thread, written
from tests.waiting import HUNG_S

PROMPT = Prompt("Be brief.", ("What was done?",), 100)
SOURCE = Path(__file__).resolve().parents[2]


def program(directory: Path, script: str, *, timeout_s: int = HUNG_S) -> Program:
    """Return a shell script as the summarizer's program."""
    path = directory / "a model"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Program(options(directory, f"'{path}' -p", timeout_s=timeout_s))


def options(directory: Path, command: str, *, timeout_s: int = HUNG_S) -> Options:
    environ = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    return Options(command=command, timeout_s=timeout_s, directory=directory, environ=environ)


def ask(asked: Program, prompt: Prompt = PROMPT) -> Reply:
    return asyncio.run(asked.ask(prompt))


def test_it_reads_the_prompt_and_its_answer_is_the_reply(tmp_path: Path) -> None:
    reply = ask(program(tmp_path, 'echo "  $1"; cat; echo'))
    assert reply.text == "-p\nBe brief.\n\nWhat was done?"
    read = tokens_of("Be brief.\n\nWhat was done?\n")
    assert (reply.input_tokens, reply.output_tokens) == (read, tokens_of(reply.text))


def test_an_exchange_is_one_text_in_which_its_own_answers_are_named() -> None:
    prompt = Prompt("Be brief.", ("What was done?", "Nothing.", "Say it in JSON."), 100)
    assert text_of(prompt) == (
        "Be brief.\n\nWhat was done?\n\nYour answer was:\n\nNothing.\n\nSay it in JSON.\n"
    )


def test_it_runs_in_the_directory_and_environment_that_it_is_given(tmp_path: Path) -> None:
    said = ask(
        program(tmp_path, 'pwd; echo "$HOME $MEMTOOL_WITHIN"; env | grep -c ^USER= || :')
    ).text
    assert said.splitlines() == [str(tmp_path), f"{tmp_path} summarizer", "0"]


def test_no_shell_reads_the_command_line(tmp_path: Path) -> None:
    reply = ask(Program(options(tmp_path, "printf '%s|' '$HOME' \"a b\" `id` ; ~ *")))
    assert reply.text == "$HOME|a b|`id`|;|~|*|"


def test_a_program_in_the_home_may_be_named_by_a_tilde(tmp_path: Path) -> None:
    assert argv_of(options(tmp_path, "~/bin/x ~/y")) == (f"{tmp_path}/bin/x", "~/y")


@pytest.mark.parametrize(
    ("command", "says"),
    [("", "is not set"), ("''", "is not set"), ("a 'b", "No closing quotation")],
)
def test_a_command_that_is_none_is_a_wrong_setting(tmp_path: Path, command: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        ask(Program(options(tmp_path, command)))
    assert "memtool config set summarizer.command" in caught.value.hint


@pytest.mark.parametrize(
    "command", ["there-is-no-such-program", "/etc/passwd", "/etc", "/dev/null/x"]
)
def test_a_program_that_cannot_be_started_is_a_wrong_setting(tmp_path: Path, command: str) -> None:
    with pytest.raises(ConfigError, match=f"summarizer.command: {command} "):
        ask(Program(options(tmp_path, command)))


ENDS: tuple[tuple[str, type[MemtoolError], str], ...] = (
    ("echo no login >&2; exit 78", ConfigError, "ended with 78: no login"),
    ("exit 77", ConfigError, "ended with 77"),
    ("exec /etc/passwd", ConfigError, "ended with 126: "),
    ("no-such-program", ConfigError, "ended with 127: "),
    ("echo busy >&2; exit 75", UnavailableError, "ended with 75: busy"),
    ("exit 69", UnavailableError, "ended with 69"),
    ("echo half; echo broken >&2; echo more >&2; exit 1", SummaryFailed, "ended with 1: broken$"),
    ("echo out of quota; exit 1", SummaryFailed, "ended with 1: out of quota$"),
    ("exit 3", SummaryFailed, "a model ended with 3$"),
    ("kill -9 $$", SummaryFailed, "was killed by signal 9$"),
    ("echo; echo ' '", SummaryFailed, "a model answered nothing$"),
    ("echo not logged in >&2", SummaryFailed, "answered nothing: not logged in$"),
    ("yes", SummaryFailed, "wrote more than 1048576 bytes$"),
)  # fmt: skip


@pytest.mark.parametrize(("script", "error", "says"), ENDS, ids=[script for script, _, _ in ENDS])
def test_every_end_has_its_meaning(
    tmp_path: Path, script: str, error: type[MemtoolError], says: str
) -> None:
    with pytest.raises(error, match=says):
        ask(program(tmp_path, script))


def test_one_that_takes_too_long_has_failed_for_this_node(tmp_path: Path) -> None:
    with pytest.raises(SummaryFailed, match="did not answer within 1 s"):
        ask(program(tmp_path, "exec sleep 3600", timeout_s=1))


def test_a_long_complaint_is_cut(tmp_path: Path) -> None:
    with pytest.raises(SummaryFailed) as caught:
        ask(program(tmp_path, "yes x | tr -d '\\n' | head -c 100000 >&2; exit 1"))
    assert len(caught.value.message) < 400


def failures(asked: Program, count: int) -> list[type[MemtoolError]]:
    """Return what so many calls raise."""
    raised = []
    for _ in range(count):
        with pytest.raises(MemtoolError) as caught:
            ask(asked)
        raised.append(caught.type)
    return raised


def test_one_that_never_works_is_down_and_not_the_nodes_fault(tmp_path: Path) -> None:
    asked = program(tmp_path, "echo please log in >&2; exit 1")
    assert failures(asked, 4) == [SummaryFailed, SummaryFailed, UnavailableError, UnavailableError]
    with pytest.raises(UnavailableError, match=r"failed 5 times in a row: .*: please log in"):
        ask(asked)


def test_one_that_has_worked_may_fail_for_some_nodes_but_not_for_all(tmp_path: Path) -> None:
    asked = program(tmp_path, "[ -e fails ] && exit 1; echo yes")
    ask(asked)
    (tmp_path / "fails").touch()
    assert failures(asked, 10) == [SummaryFailed] * 9 + [UnavailableError]


def test_a_success_forgives_the_failures_before(tmp_path: Path) -> None:
    asked = program(tmp_path, "[ -e works ] && echo yes")
    failures(asked, 2)
    (tmp_path / "works").touch()
    ask(asked)
    (tmp_path / "works").unlink()
    assert failures(asked, 3) == [SummaryFailed] * 3


def test_what_it_starts_is_no_memtool(tmp_path: Path) -> None:
    """An agent as summarizer may have hooks that call memtool: these find out where they are, and do nothing."""
    memtool = f"PYTHONPATH='{SOURCE}' '{sys.executable}' -m memtool --store '{tmp_path}/store'"
    reply = ask(program(tmp_path, f"{memtool} ingest 2>&1; echo $?; {memtool} --version"))
    told, _, code, version = reply.text.splitlines()
    assert (
        told == "memtool: this runs within a summarizer that memtool has started: nothing is done"
    )
    assert (code, version.split()[0]) == ("75", "memtool")
    assert not (tmp_path / "store").exists()


ANSWER = (
    '{"threads": [{"thread": 1, "headline": "Mend the parser", "cites": [1], '
    '"points": [{"text": "It lost an offset", "cites": [2]}]}]}'
)
PARSER = day(thread(1, ("ask", "Mend it"), ("result", "The parser lost an offset")))


def test_its_answers_become_drafts_that_it_signs(tmp_path: Path) -> None:
    asked = program(tmp_path, f"cat >prompt; echo '{ANSWER}'")
    summarizer = make("command", asked.options)
    draft = check_draft(PARSER, written(summarizer, PARSER))
    (told,) = draft.threads
    assert (draft.title, told.points[0].text) == ("Mend the parser", "It lost an offset")
    assert "[1] title: Mend it" in (tmp_path / "prompt").read_text()
    recipe = summarizer.recipe
    assert (recipe.summarizer, recipe.model) == ("command", asked.options.command)
    assert summarizer.waits


def test_making_it_starts_nothing_and_a_missing_setting_shows_at_the_first_call(
    tmp_path: Path,
) -> None:
    summarizer = make("command", options(tmp_path, ""))
    assert summarizer.recipe.model == ""
    with pytest.raises(ConfigError, match="is not set"):
        written(summarizer, PARSER)


def test_a_prompt_that_is_too_long_for_it_is_told_apart(tmp_path: Path) -> None:
    asked = program(tmp_path, "echo Prompt is too long; exit 1")
    with pytest.raises(PromptTooLong, match="ended with 1: Prompt is too long"):
        ask(asked)
    assert failures(asked, 4) == [PromptTooLong] * 4  # it works, so it is not down


def test_its_directory_is_made_where_it_is_missing_and_is_private(tmp_path: Path) -> None:
    asked = program(tmp_path, "pwd; stat -c %a .")
    below = tmp_path / "summarizer"
    there = structs.replace(asked.options, directory=below)
    assert ask(Program(there)).text == f"{below}\n700"
