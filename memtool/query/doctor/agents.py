"""Checks of what is read: transcripts that can be read, the last ingest, and the agents' own retention."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from memtool.agents.discover import waiting
from memtool.agents.registry import Retention, Root
from memtool.errors import MemtoolError
from memtool.query.doctor.scene import (
    Advice,
    Scene,
    in_words,
    ok,
    problem,
    skipped,
    span,
    warning,
)
from memtool.query.hooks import hook_status
from memtool.systemd.problems import JobStatus
from memtool.systemd.systemctl import next_times

_DAY_S = 86_400
_SECOND_US = 1_000_000
_SOON_DAYS = 5
_LONG_DAYS = 365
_LOOK_BACK_DAYS, _REGULAR_DAYS = 14, 3
_INGEST = "memtool ingest"
_WORST_LAST = ("skipped", "ok", "warning", "problem")


def check_transcripts(scene: Scene) -> Advice:
    """Check that there are transcripts, and that they can be read."""
    found = scene.transcripts
    closed = [path for path in found.files if not os.access(path, os.R_OK)]
    refused = [*(path for path, _ in found.failed), *closed]
    if refused:
        text = f"{in_words(len(refused), 'place')} cannot be read, such as {refused[0]}"
        return problem(text, f"check its owner and mode: ls -ld {refused[0]}")
    if not found.files:
        places = ", ".join(root.places for root in scene.roots)
        keys = " or ".join(dict.fromkeys(root.agent.roots_key for root in scene.roots))
        return warning(
            f"no transcript below {places}",
            f"if they are elsewhere: memtool config set {keys} DIRECTORY",
        )
    places = ", ".join(str(root.path) for root in scene.roots)
    return ok(f"{in_words(len(found.files), 'transcript')} below {places}")


def check_ingest(scene: Scene) -> Advice:
    """Check that transcripts are read within a day."""
    newest_us = max((written_us for _, written_us in _waiting(scene)), default=None)
    last_us = max(scene.ingests_us, default=None)
    if last_us is None:
        if newest_us is None:
            return skipped("nothing was ever read, and there is nothing to read")
        return warning("nothing was ever read", _INGEST)
    age = f"the last ingest that went well was {_ago(scene, last_us)}"
    if newest_us is not None and scene.now_us - last_us > _DAY_S * _SECOND_US:
        return warning(f"{age}, and transcripts have changed since", _INGEST)
    return ok(age)


def _ago(scene: Scene, instant_us: int) -> str:
    return f"{span((scene.now_us - instant_us) // _SECOND_US)} ago"


def _waiting(scene: Scene) -> Iterator[tuple[Path, int]]:
    """Yield the transcripts that are not in the store as they are now, and when they were written."""
    sources = scene.facts.sources if scene.has_store else {}
    for path, found in waiting(scene.transcripts.files, sources):
        yield path, found.mtime_ns // 1000


def check_hooks(scene: Scene) -> Advice:
    """Check that the hooks which are installed work, and that what they leave is read and understood."""
    found = hook_status(scene.root, scene.environ)
    wrong = [one for row in found.agents for one in row.problems]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return problem(f"{wrong[0].text}{more}", wrong[0].hint)
    if found.oldest_us is not None and scene.now_us - found.oldest_us > _DAY_S * _SECOND_US:
        waiting = in_words(found.waiting, "payload")
        age = span((scene.now_us - found.oldest_us) // _SECOND_US)
        return warning(f"{waiting} of hooks not read, the oldest for {age}", _INGEST)
    if found.rejected:
        count, last = in_words(len(found.rejected), "payload"), found.rejected[0]
        text = f"{count} of hooks not understood, the last: {last.reason}"
        return warning(text, f"memtool hooks status; then delete {Path(last.path).parent}")
    names = [row.title for row in found.agents if row.capture or row.context]
    if not names:
        return skipped("no agent has hooks of memtool")
    return ok(f"hooks of {', '.join(names)}")


def check_retention(scene: Scene) -> Advice:
    """Check that no agent deletes a transcript before it is read. Of several agents the worst advice counts."""
    found = [
        _of_root(scene, root, kept)
        for root in scene.roots
        if root.path.is_dir()
        and (kept := root.agent.format.retention(root.path, scene.machine)) is not None
    ]
    if not found:
        return skipped(f"there is no {' and no '.join(str(root.path) for root in scene.roots)}")
    return max(found, key=lambda advice: _WORST_LAST.index(advice.verdict))


def _of_root(scene: Scene, root: Root, kept: Retention) -> Advice:
    agent = root.agent.title
    if kept.days < 1:
        text = f"{kept.setting} is {kept.days} in {kept.origin}: {agent} writes no transcript, or refuses it"
        return problem(text, _raise(kept))
    if at_risk := _about_to_go(scene, root, kept):
        text = f"{in_words(len(at_risk), 'transcript')} not read yet, such as {at_risk[0]}: "
        return problem(f"{text}{agent} deletes what is {in_words(kept.days, 'day')} old", _INGEST)
    return _of_schedule(scene, agent, kept)


def _about_to_go(scene: Scene, root: Root, kept: Retention) -> list[Path]:
    """Return the transcripts that are not read yet and have few days left; none where the store cannot be read."""
    if kept.days <= _SOON_DAYS:
        return []
    limit_us = scene.now_us - (kept.days - _SOON_DAYS) * _DAY_S * _SECOND_US
    with suppress(MemtoolError):
        return [
            path
            for path, written_us in _waiting(scene)
            if written_us < limit_us and root.holds(path)
        ]
    return []


def _of_schedule(scene: Scene, agent: str, kept: Retention) -> Advice:
    """Compare how often ingests run, by their timer and by the ledger, with how long transcripts are kept."""
    period_us = kept.days * _DAY_S * _SECOND_US
    text = f"{agent} deletes transcripts after {in_words(kept.days, 'day')} ({kept.origin})"
    ingests_us, every_us = _known_ingests_us(scene), _interval_us(scene)
    last_us = max(ingests_us, default=None)
    if last_us is not None and scene.now_us - last_us > period_us // 2:
        return warning(f"{text}; the last ingest was {_ago(scene, last_us)}", _INGEST)
    if every_us is not None and every_us > period_us // 2:
        rare = span(every_us // _SECOND_US)
        return warning(f"{text}; ingest runs every {rare} only", _raise(kept))
    if kept.unreadable:
        return warning(
            f"{kept.unreadable[0]} cannot be read: how long {agent} keeps is not known",
            f"fix it: python3 -m json.tool {kept.unreadable[0]}",
        )
    if every_us is None and kept.days < _LONG_DAYS and not _is_regular(scene, ingests_us):
        return warning(f"{text}, and no timer that runs takes them in", _raise(kept))
    often = f"; ingest runs every {span(every_us // _SECOND_US)}" if every_us else ""
    return ok(f"{text}{often}")


def _known_ingests_us(scene: Scene) -> list[int]:
    with suppress(MemtoolError):  # how long transcripts are kept matters without a ledger, too
        return scene.ingests_us
    return []


def _is_regular(scene: Scene, ingests_us: Iterable[int]) -> bool:
    """Return whether the ledger has ingests of several of the last days, started by cron or by a person."""
    since_us = scene.now_us - _LOOK_BACK_DAYS * _DAY_S * _SECOND_US
    days = {us // _SECOND_US // _DAY_S for us in ingests_us if us >= since_us}
    return len(days) >= _REGULAR_DAYS


def _raise(kept: Retention) -> str:
    return (
        f'put "{kept.setting}": {kept.example} into {kept.settings}, or have ingest run more often'
    )


def _interval_us(scene: Scene) -> int | None:
    """Return how far apart the ingest's timer fires, or None where none does."""
    try:
        row: JobStatus = next(row for row in scene.status.jobs if row.job.name == "ingest")
    except MemtoolError:
        return None
    if row.timer is None or not row.timer.is_live or row.pause is not None:
        return None
    spans = [
        second - first
        for text in row.timer.schedule
        for first, second in pairwise(next_times(text, scene.environ) or ())
    ]
    return min(spans, default=None)
