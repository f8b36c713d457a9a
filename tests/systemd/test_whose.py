"""Whose installation it is, on a real system with two people: root acts as the one whose memory it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.systemd.machine import Done
from tests.systemd.sides import PEOPLE, Side

pytestmark = pytest.mark.slow

WORDS = [
    "toc", "show 2026-03", "open", "search test", "context", "events --limit 1", "stats", "verify",
    "export", "summarizers", "doctor", "scheduler status", "scheduler history", "config show",
    "config path", "config check", "ingest", "rollup all", "rebuild --dry-run", "compact",
    "forget --session x --dry-run", "scheduler crontab",
]  # fmt: skip
FAILS = {"forget --session x --dry-run", "doctor"}
"""There is no such session, and a pause is a warning: what counts is whose files are made."""


def root(side: Side, words: str, **environ: str) -> Done:
    """Run memtool as root, in a shell with these variables."""
    given = [f"{name}={value}" for name, value in environ.items()]
    return side.machine.run("env", *given, f"{side.prefix}/bin/memtool", *words.split())


def roots_files(side: Side) -> str:
    """Return what is root's in the memory and the home of each person."""
    places = ("/var/lib/memtool", *(f"/home/{name}" for name in PEOPLE))
    return side.machine.run("find", *places, "-user", "root").stdout


def noor(side: Side, words: str, **environ: str) -> Done:
    """Run memtool as the other person, who has no timers."""
    given = [
        "HOME=/home/noor",
        "USER=noor",
        *(f"{name}={value}" for name, value in environ.items()),
    ]
    command = ("runuser", "-u", "noor", "--", "env", *given, f"{side.prefix}/bin/memtool")
    return side.machine.run(*command, *words.split())


def text(done: Done) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_root_acts_as_the_person_whom_the_system_s_timers_serve(system: Side) -> None:
    system.give_transcripts()
    system.machine.run("rm", "-rf", "/root/.local/state")  # of the host
    for words in ("ingest", "rollup all", *WORDS):
        done = root(system, words)
        assert done.returncode == 0 or words in FAILS, f"{words}: {text(done)}"
        assert roots_files(system) == "", words
    assert system.machine.run("test", "-e", "/root/.local/state/memtool").returncode != 0
    theirs: dict[str, Any] = system.json("stats")
    assert theirs["events"] > 0
    assert json.loads(root(system, "stats --json").stdout) == theirs
    kept = root(system, "stats --json", HOME="/home/noor", XDG_STATE_HOME="/home/noor/x")
    assert json.loads(kept.stdout) == theirs


@pytest.mark.parametrize("words", ["toc", "ingest", "scheduler pause ingest", "config set locks.wait_s 9"])  # fmt: skip
def test_root_with_the_home_of_a_person_leaves_nothing_behind(user: Side, words: str) -> None:
    user.give_transcripts()
    for each in (words, *WORDS):
        done = root(user, each, HOME=user.home)
        assert done.returncode == 0 or each in FAILS, f"{each}: {text(done)}"
        assert roots_files(user) == "", each
        user.memtool("ingest")
    assert user.memtool("ingest").returncode == 0


def test_a_path_that_the_person_cannot_use_is_named_with_the_person(system: Side) -> None:
    system.take_in()
    system.machine.run("sh", "-c", "mkdir -p /root/old; touch /root/c.toml /root/a.jsonl")
    for words, path in (
        ("backup /root/copy", "/root/copy"),
        ("ingest /root/a.jsonl", "/root/a.jsonl"),
        ("restore /root/old --to /root/new", "/root/old"),
        ("--config /root/c.toml toc", "/root/c.toml"),
    ):
        done = root(system, words)
        assert done.returncode == 74, words
        assert f"{path}" in done.stderr.splitlines()[0]
        assert "(as mira)" in done.stderr.splitlines()[0]


def test_settings_of_root_are_the_system_s_and_everybody_reads_them(system: Side) -> None:
    done = root(system, "config set day_rollup.schedule 05:10", SUDO_USER="noor")
    assert "in /etc/memtool/config.toml" in done.stdout
    assert "undo: sudo memtool config set" in done.stdout
    shown = system.machine.run("stat", "-c", "%a %U", "/etc/memtool", "/etc/memtool/config.toml")
    assert shown.stdout == "755 root\n644 root\n"
    for said in (
        root(system, "config show day_rollup.schedule"),
        system.memtool("config", "show", "day_rollup.schedule"),
        noor(system, "config show day_rollup.schedule"),
    ):
        assert "/etc/memtool/config.toml" in said.stdout
        assert '"05:10"' in said.stdout
    assert root(system, "scheduler apply").returncode == 0
    assert "05:10:00" in system.property("memtool-day-rollup.timer", "TimersCalendar")
    system.machine.run("chmod", "600", "/etc/memtool/config.toml")
    done = system.memtool("toc")  # else the jobs and the person would do without, and say nothing
    assert done.returncode == 74
    assert "/etc/memtool/config.toml: permission denied (as mira)" in done.stderr
    assert noor(system, "config show day_rollup.schedule").returncode == 0
    system.machine.run("chmod", "644", "/etc/memtool/config.toml")
    # And those of the person are the jobs', also for root, who alone can apply them.
    system.memtool("config", "set", "week_rollup.schedule", "Mon 06:20")
    done = system.memtool("scheduler", "apply")
    assert done.returncode == 1
    assert "hint: sudo memtool scheduler apply" in done.stderr
    assert root(system, "scheduler apply").returncode == 0
    assert "06:20:00" in system.property("memtool-week-rollup.timer", "TimersCalendar")


@pytest.mark.parametrize(
    "path", ["/srv/new/place/100% mine", "/home/mira/memory", "/var/tmp/memory", "/tmp/m"]
)
def test_a_store_that_does_not_exist_yet_works_after_apply(system: Side, path: str) -> None:
    system.give_transcripts()
    program = f"{system.prefix}/bin/memtool"
    assert system.machine.run(program, "config", "set", "store.path", path).returncode == 0
    done = root(system, "scheduler apply")
    assert done.returncode == 0, text(done)
    done = root(system, "scheduler run ingest")
    assert done.returncode == 0, text(done)
    assert system.machine.run("stat", "-c", "%a %U", path).stdout == "700 mira\n"
    assert system.machine.run("find", path, "-user", "root").stdout == ""
    assert system.json("stats")["events"] > 0
    assert system.json("scheduler", "status")["store"]["path"] == path
    assert system.status("ingest")["last"]["result"] == "done"
    assert root(system, "scheduler pause --all").returncode == 0
    assert system.start("ingest").returncode == 0
    assert len(system.runs("ingest")) == 1
    # Somebody else has a memory of their own, whatever the system's settings say.
    theirs = json.loads(noor(system, "config show --json").stdout)["store"]
    assert theirs["root"] == "/home/noor/.local/state/memtool"
    assert theirs["why"] == f"the user's own store; {path} is mira's"


def test_a_person_s_own_setting_makes_root_make_nothing(system: Side) -> None:
    for path in ("/srv/mine", "/home/noor/mine", "/etc/mine"):
        assert system.memtool("config", "set", "store.path", path).returncode == 0
        done = root(system, "scheduler apply")
        assert done.returncode == 1
        assert f"mira cannot make {path}" in done.stderr
        assert system.machine.run("test", "-e", path).returncode != 0


def test_a_user_s_store_elsewhere_works_after_apply(user: Side) -> None:
    user.give_transcripts()
    for path in ("/home/noor/memory/new", "/tmp/noors"):
        user.memtool("config", "set", "store.path", path)
        done = user.memtool("scheduler", "apply")
        assert done.returncode == 0, text(done)
        assert user.start("ingest").returncode == 0, user.journal("ingest")
        assert user.json("stats")["events"] > 0
        assert user.json("scheduler", "status")["store"]["path"] == path


def test_who_has_no_timers_has_nothing_to_pause(system: Side) -> None:
    for words in ("scheduler pause --all", "scheduler pause ingest --for 2h"):
        done = noor(system, words)
        assert done.returncode == 1
        assert "there is nothing to pause" in done.stderr
        assert "mira" in done.stderr
    assert system.machine.run("test", "-e", "/home/noor/.local/state").returncode != 0
    for words in ("status", "history", "pause --all", "resume --all", "run ingest"):
        done = noor(system, f"scheduler {words} --system")
        assert done.returncode == 74, words
        assert "the system's timers run as mira" in done.stderr
        assert "sudo memtool scheduler status" in done.stderr
    assert system.status("ingest")["pause"] is None


def test_beside_a_user_s_timers_root_is_told_whose_they_are(user: Side) -> None:
    user.machine.run("rm", "-rf", "/root/.config/systemd", "/root/.local/state")  # of the host
    for environ, hint in (
        ({"SUDO_USER": "noor"}, "without sudo: memtool scheduler status"),
        ({}, "as noor (sudo -iu noor): memtool scheduler status"),
    ):
        said = text(root(user, "scheduler status", **environ))
        assert "noor has timers of their own" in said
        assert hint in said
        manager = json.loads(root(user, "scheduler status --json", **environ).stdout)["manager"]
        assert "noor has timers" in manager["problem"]
        assert manager["hint"] == hint
        done = root(user, "scheduler pause --all", **environ)
        assert done.returncode == 1
        assert "noor has timers of their own" in done.stderr
    assert user.status("ingest")["pause"] is None


def test_the_timers_serve_somebody_else_only_by_name(system: Side) -> None:
    """Also while the memory is empty, or somewhere else."""
    for arguments in ("--run-as noor", "--run-as noor --take-over root"):
        done = root(system, f"setup --system --yes {arguments}")
        assert done.returncode != 0
        assert "--take-over mira" in done.stderr
    assert system.property("memtool-ingest.service", "User") == "mira"
    done = root(system, "setup --system --yes --run-as noor --take-over mira")
    assert done.returncode == 0, text(done)
    assert system.property("memtool-ingest.service", "User") == "noor"


def test_the_system_s_timers_of_a_user_that_is_gone_can_be_given_to_another(system: Side) -> None:
    system.take_in()
    system.machine.run("userdel", "mira")
    for words in ("toc", "scheduler status", "config path"):
        done = root(system, words)
        assert done.returncode == 78, words
        assert "the system's jobs run as mira, who is not a user of this machine" in done.stderr
        assert "hint: memtool setup --system --run-as USER" in done.stderr
    done = root(system, "setup --system --yes --run-as=noor")
    assert "belongs to 2001" in done.stderr
    done = root(system, "setup --system --yes --run-as=noor --take-over=2001")
    assert done.returncode == 0, text(done)
    assert json.loads(root(system, "stats --json").stdout)["events"] > 0
    assert system.machine.run("find", "/var/lib/memtool", "!", "-user", "noor").stdout == ""


def test_pauses_that_root_makes_are_the_person_s(system: Side) -> None:
    system.give_transcripts()
    assert root(system, "scheduler pause day-rollup --for 2h").returncode == 0
    assert root(system, "scheduler pause week-rollup", HOME="/home/noor").returncode == 0
    assert roots_files(system) == ""
    assert system.start("month-rollup").returncode == 0
    assert system.json("stats")["stale"]["day"] > 0
    assert root(system, "scheduler run day-rollup --ignore-pause").returncode == 0
    assert system.json("stats")["stale"]["day"] == 0
    assert roots_files(system) == ""
    assert root(system, "scheduler resume --all").returncode == 0
    assert system.machine.run("find", "/var/lib/memtool/pause", "-type", "f").stdout == ""
