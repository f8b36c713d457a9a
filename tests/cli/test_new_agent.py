"""A new agent: the row and the module in this file, and nothing else, make it known everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from memtool.agents import registry
from memtool.agents.outcomes import Disposition, Outcome
from memtool.agents.registry import AGENTS, Agent, File, Format, Parser, Retention
from memtool.agents.values import JsonObject, text_at
from memtool.model.records import ROLES, Claim, Event, digest_of, event_id
from memtool.systemd.jobs import SETTINGS
from memtool.systemd.units import TRANSCRIPTS, Installation, unit_files

Call = Callable[..., tuple[int, str, str]]

ROBO = Agent(
    "robo",
    "Robo",
    __name__,
    roots=("~/.robo",),
    variable="ROBO_HOME",
    transcripts=("talks",),
    suffixes=(".robo",),
)


class Robo(Format):
    """Lines such as {"robo": "<session>", "says": "…"}."""

    def recognises(self, record: JsonObject) -> bool:
        return "robo" in record

    def parser(self, file: File) -> Parser:  # noqa: ARG002
        return RoboParser()

    def skip_reason(self, path: Path) -> str:
        return "a draft" if path.name.startswith("draft") else ""

    def retention(self, root: Path, machine: Path) -> Retention:  # noqa: ARG002
        return Retention(3, "keep_days", root / "robo.json")


class RoboParser(Parser):
    """Every line is an answer."""

    def parse(self, record: JsonObject) -> Outcome:
        text = text_at(record, "says")
        digest = digest_of("id", "robo", text)
        event = Event(
            id=event_id(digest, 1),
            agent="robo",
            claims=(Claim(text_at(record, "robo"), "/home/u/robots"),),
            time_us=1_772_359_200_000_000,
            kind="answer",
            role=ROLES["answer"],
            text=text,
            digest=digest,
        )
        return Outcome(Disposition.TAKEN, "robo", (event,))


FORMAT = Robo()


@pytest.fixture
def robo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the root of the new agent, with one transcript."""
    monkeypatch.setattr(registry, "AGENTS", (*AGENTS, ROBO))
    for row in registry.settings():
        monkeypatch.setitem(SETTINGS, row.key, row)  # which is made of the rows at import
    talks = tmp_path / "robo/talks"
    talks.mkdir(parents=True)
    (talks / "1.robo").write_text('{"robo": "s1", "says": "The arm is mounted."}\n')
    (talks / "draft.robo").write_text('{"robo": "s1", "says": "A draft."}\n')
    return tmp_path / "robo"


def test_a_new_agent_is_taken_in_without_a_path(call: Call, robo: Path) -> None:
    code, out, _ = call("ingest", ROBO_HOME=str(robo))
    assert code == 0
    assert "1 new event" in out
    assert "draft.robo (a draft)" in out
    _, out, _ = call("events")
    assert "The arm is mounted." in out


def test_a_new_agent_is_offered_where_there_is_no_memory(call: Call, robo: Path) -> None:
    _, _, said = call("toc", ROBO_HOME=str(robo))
    assert "Robo has 1 session here" in said


def test_a_new_agent_is_in_the_settings(call: Call, robo: Path) -> None:
    _, out, _ = call("config", "show", "--json", MEMTOOL_AGENTS__ROBO__ROOTS=str(robo))
    shown = json.loads(out)
    rows = {row["key"]: row["value"] for row in shown["settings"]}
    assert rows["agents.robo.roots"] == str(robo)
    assert {"name": "robo", "root": str(robo)} in shown["agents"]


def test_the_roots_of_a_new_agent_can_be_set_and_unset(call: Call, robo: Path) -> None:
    code, _, _ = call("config", "set", "agents.robo.roots", str(robo))
    assert code == 0
    assert call("ingest")[1].startswith("1 file read")
    assert call("config", "set", "agents.robo.roots", "--unset")[0] == 0


def test_the_doctor_looks_at_a_new_agent(call: Call, robo: Path) -> None:
    _, out, _ = call("doctor", "--json", ROBO_HOME=str(robo))
    checks = {row["name"]: row for row in json.loads(out)["checks"]}
    assert str(robo) in checks["transcripts"]["found"]
    assert "Robo deletes transcripts after 3 days" in checks["retention"]["found"]


@pytest.mark.usefixtures("robo")
def test_the_system_units_may_read_a_new_agents_files() -> None:
    made = unit_files(Installation("system", Path("/m"), run_as="u", home=Path("/home/u")))
    for name in TRANSCRIPTS:
        assert "BindReadOnlyPaths=-/home/u/.robo" in made[name].splitlines()
