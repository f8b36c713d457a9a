"""One long-lived store, killed again and again: each command by a seed, each outcome held against what was told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from memtool.model.levels import WEEKDAYS
from memtool.model.records import EventId
from tests.crash import truth
from tests.crash.chances import LAST_BACKUP, LINES, TRANSCRIPTS, Action, Chances, Usual
from tests.crash.forks import REPOSITORY, Ended, Forks
from tests.crash.history import write
from tests.crash.steps import Steps, kill_this_process, note_acknowledged
from tests.crash.tasks import program
from tests.crash.truth import Facts, Fault, Offered, demand
from tests.forgetting import in_files
from tests.waiting import HUNG_S

T = TypeVar("T")
NEVER = 1 << 30
WHOLE_VERIFY_EVERY = 50
KILLED = -signal.SIGKILL


def stepped(root: Path, words: tuple[str, ...], step: int, acknowledged: str) -> tuple[int, int]:
    """Run a command that is killed before its Nth durable step; return its exit code and steps where it was not."""
    note_acknowledged(acknowledged)
    steps = Steps(step, kill_this_process)
    code = program(root, *words)
    return code, len(steps.taken)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit code (KILLED), what it said on stderr, its steps where they were counted."""

    code: int
    errors: str
    seconds: float
    steps: int | None = None

    @property
    def is_killed(self) -> bool:
        return self.code == KILLED


class Kills:
    """The store, a second one that gets its exports, and what both must hold."""

    def __init__(self, forks: Forks, place: Path, now_us: int) -> None:
        self.place, self.root, self.second = place, place / "memory", place / "second"
        self.now_us = now_us
        self.counts: Counter[tuple[str, str]] = Counter()
        self.sequence: list[Action] = []
        self.kills = self.compared = self.verified = 0
        self.usual, self.offered = Usual(), Offered()
        self.facts, self.other = Facts(), Facts()
        self._exported = Facts()
        self._backups: list[tuple[Path, Facts]] = []
        self._forks = forks
        self._acknowledged = place / "acknowledged"
        (place / "transcripts").mkdir(parents=True, exist_ok=True)

    def next(self, chances: Chances) -> Action:
        """Return what comes next, by the chances."""
        has_backup = bool(self._backups)
        return chances.next(self.facts, self.offered, self.usual, has_backup=has_backup)

    def do(self, action: Action) -> Outcome:
        """Run a command, kill it, and check all that must hold. Raise Fault where it does not."""
        self.sequence.append(action)
        for name, lines in action.writes.items():
            file = self.place / "transcripts" / name
            write(file, lines, more=file.exists())  # type: ignore[arg-type]
            self.offered.add(lines)
        if action.name == "exchange":
            self._export()
        outcome = self._run(action)
        what = "ended" if not outcome.is_killed else f"killed, {action.way}"
        self.counts[action.name, what] += 1
        self.kills += outcome.is_killed
        self._check_end(action, outcome)
        self._check(action, outcome)
        self._tidy()
        return outcome

    # Running

    def _run(self, action: Action) -> Outcome:
        root = self.second if action.name == "exchange" else self.root
        self._set_environ(action, root)
        self._acknowledged.write_bytes(b"")
        words = tuple(self._filled(word) for word in action.words)
        if action.whole:
            return self._run_whole(root, words, action)
        began_s = time.monotonic()
        step = int(action.at) if action.way == "step" else NEVER
        child = self._forks.start(stepped, root, words, step, str(self._acknowledged))
        if action.way == "time":
            time.sleep(action.at)
            child.send(signal.SIGKILL)
        ended = child.wait()
        taken_s = time.monotonic() - began_s
        if ended.status == KILLED:
            return Outcome(KILLED, ended.errors, taken_s)
        code, steps = _value(ended)
        if code == 0:
            self.usual.learn(action.name, taken_s, steps)
        return Outcome(code, ended.errors, taken_s, steps)

    def _run_whole(self, root: Path, words: Iterable[str], action: Action) -> Outcome:
        began_s = time.monotonic()
        command = [sys.executable, "-m", "memtool", "--store", str(root), *words]
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        bound_s = action.at if action.way == "time" else HUNG_S
        try:
            errors = process.communicate(timeout=bound_s)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            errors = process.communicate()[1]
        taken_s = time.monotonic() - began_s
        if process.returncode == 0:
            self.usual.learn(f"{action.name}, whole", taken_s, None)
        return Outcome(process.returncode, errors, taken_s)

    def _set_environ(self, action: Action, root: Path) -> None:
        calendar = (self.other if root == self.second else self.facts).calendar
        zone, week_start = action.calendar or (calendar.zone, WEEKDAYS[calendar.week_start])
        os.environ |= {
            "MEMTOOL_SUMMARIZER__NAME": "mock",
            "MEMTOOL_CALENDAR__TIMEZONE": zone,
            "MEMTOOL_CALENDAR__WEEK_STARTS_ON": week_start,
            "PYTHONPATH": str(REPOSITORY),
        }

    def _filled(self, word: str) -> str:
        if word == LAST_BACKUP:
            return str(self._backups[-1][0])
        return word.replace("{place}", str(self.place))

    def _export(self) -> None:
        self._plain("export", ("export", "-o", LINES), self.root)
        self._exported = self.facts

    def _plain(self, name: str, words: tuple[str, ...], root: Path) -> None:
        """Run a command that nobody kills, and that changes nothing of what is checked here."""
        self._set_environ(Action(name, words), root)
        filled = tuple(self._filled(word) for word in words)
        ended = self._forks.run(program, root, *filled)
        demand(ended.status or ended.result, f"{name} ended {ended}")

    # Checking

    def _check_end(self, action: Action, outcome: Outcome) -> None:
        demand("Traceback" in outcome.errors, f"a traceback: {outcome.errors}")
        if outcome.code in (0, KILLED):
            return
        before = self.facts
        meant = self.offered.meant(action.selector, before.calendar) if action.selector[0] else None
        is_gone = outcome.code == 2 and meant is not None and not meant & before.events
        demand(not is_gone, f"it ended {outcome.code}: {outcome.errors}")

    def _check(self, action: Action, outcome: Outcome) -> None:
        if action.name == "exchange":
            self._check_second(is_done=outcome.code == 0)
            return
        before, after = self.facts, truth.facts(self.root, _now_us())
        self.facts = after
        is_done = outcome.code == 0
        if action.words[0] == "ingest":
            acknowledged = {EventId(one) for one in self._acknowledged.read_text().split()}
            truth.check_ingest(before, after, self.offered, acknowledged, is_done=is_done)
        elif action.words[0] == "forget":
            meant = self.offered.meant(action.selector, before.calendar)
            truth.check_forget(before, after, meant, is_done=is_done)
            if is_done and action.selector[0] == "session":
                demand(in_files(self.root, [action.selector[1].encode()]), "its words are in files")
        elif action.words[0] == "restore":
            self._check_restore(before, after, is_done=is_done)
            return
        else:
            truth.check_unchanged(before, after)
        if action.words[0] == "backup":
            self._check_backups(is_done=is_done)
        if outcome.is_killed and self.kills % WHOLE_VERIFY_EVERY == 0:
            self._verify_whole()

    def _verify_whole(self) -> None:
        outcome = self._run_whole(self.root, ("verify",), Action("verify", ("verify",)))
        demand(outcome.code, f"memtool verify ended {outcome.code}: {outcome.errors}")
        self.verified += 1

    def _check_restore(self, before: Facts, after: Facts, *, is_done: bool) -> None:
        kept = self._backups[-1][1]
        is_new = truth.same_content(after, kept)
        is_old = truth.same_content(after, before) and not is_done
        demand(not is_new and not is_old, "neither the store before nor the backup is in place")

    def _check_backups(self, *, is_done: bool) -> None:
        """Check that what has a backup's name is one, of the store as it is."""
        known = {path for path, _ in self._backups}
        directory = self.place / "backups"
        new = set(directory.glob("memtool-*")) - known if directory.exists() else set()
        demand(is_done and len(new) != 1, "no backup by a whole run")
        for path in new:
            found = truth.facts(path, _now_us())
            demand(not truth.same_content(found, self.facts), f"{path} is not the store")
            demand(not (path / "manifest.json").exists(), f"{path} has no manifest")
            self._backups.append((path, found))

    def _check_second(self, *, is_done: bool) -> None:
        before, after = self.other, truth.facts(self.second, _now_us())
        self.other, sent = after, self._exported
        truth.check_kept(before, after)
        demand(after.events - before.events - sent.events, "the second store has other events")
        buried = after.tombstones - before.tombstones
        demand(buried - sent.tombstones, "the second store has other tombstones")
        if is_done:
            gone = before.tombstones | sent.tombstones
            demand(gone ^ after.tombstones, "tombstones did not all come over")
            demand((before.events | sent.events) - gone ^ after.events, "events did not all come")

    def _tidy(self) -> None:
        """Remove what a person would remove: old backups, stores put aside; and what only a day's wait does."""
        for pattern in ("before-restore-*", "interrupted-restore-*"):
            for path in self.root.glob(pattern):
                shutil.rmtree(path)
        for path in (self.place / "backups").glob(".*.partial"):
            shutil.rmtree(path)
        while len(self._backups) > 2:
            shutil.rmtree(self._backups.pop(0)[0])

    # Now and then

    def finish(self) -> None:
        """Finish all jobs, and compare what is closed with stores built from nothing."""
        now_us = _now_us()
        for words in (("rebuild",), ("ingest", TRANSCRIPTS), ("rollup", "all"), ("compact",)):
            if words != ("rebuild",) or self.facts.is_half_built:
                outcome = self.do(Action(f"finish: {words[0]}", words))
                demand(outcome.code, f"{words} ended {outcome.code}: {outcome.errors}")
        demand(self.facts.stale, "periods are stale although all jobs came to their end")
        demand(self.facts.is_half_built or self.facts.is_erasing, "something is unfinished")
        demand(list(self.root.glob("store/*.dbtmp")), "files of killed opens are left")
        self._verify_whole()
        self._compare(self.root, self.facts, now_us)
        if self.other.events:
            self._plain("rollup", ("rollup", "all"), self.second)
            self.other = truth.facts(self.second, _now_us())
            self._compare(self.second, self.other, now_us)

    def _compare(self, root: Path, held: Facts, now_us: int) -> None:
        fresh = self.place / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        lines = [line for one in sorted(held.events) for line in self.offered.lines[one]]
        write(fresh / "lines.jsonl", lines)  # type: ignore[arg-type]
        self._set_environ(Action("fresh", ()), root)
        for words in (("ingest", str(fresh / "lines.jsonl")), ("rollup", "all")):
            ended = self._forks.run(program, fresh / "memory", *words)
            demand(ended.status or ended.result, f"a fresh store: {words} ended {ended}")
        expected = truth.comparable(fresh / "memory", now_us)
        found = truth.comparable(root, now_us)
        for family, rows in expected.items():
            differ = {key.hex() for key, _ in found[family].items() ^ rows.items()}
            demand(differ, f"{family} of {root} and {fresh}, built from nothing, differ")
        self.compared += sum(map(len, expected.values()))


def _value(ended: Ended[tuple[int, int]]) -> tuple[int, int]:
    if ended.status != 0 or ended.result is None:
        raise Fault(f"it raised: {ended}")
    return ended.result


def _now_us() -> int:
    return time.time_ns() // 1000
