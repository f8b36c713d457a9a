"""`memtool rollup`: bring the table of contents up to date."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from memtool.cli.options import (
    Invocation,
    JsonOption,
    ScheduledOption,
    command_group,
    invocation,
    periods,
)
from memtool.cli.output import number, print_json, print_line
from memtool.cli.running import Show, conclude, outcome_json, run
from memtool.errors import FAILED, OK, SKIPPED, ExitCode, UsageError
from memtool.jobs.runner import Outcome
from memtool.ledger.file import WROTE, Run
from memtool.model.levels import PERIOD_LEVELS, Level, Period
from memtool.query.reader import Reader
from memtool.rollup.configured import (
    budget_of,
    summarizer_of,
    wanted_calendar,
    without_key,
    zone_is_set,
)
from memtool.rollup.job import roll_up
from memtool.rollup.plan import Choices, RollupOptions
from memtool.store.access import Access

if TYPE_CHECKING:
    from memtool.rollup.plan import Forecast

VERSION = 1
_MOST_LINES = 40
_GO_ON = {OK.code, FAILED.code, SKIPPED.code}

rollup = command_group()

OpenOption = Annotated[
    bool, typer.Option("--include-open", help="Also summarize the period that has not ended.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="PERIOD", autocompletion=periods, help="Only this period and later ones."),
]
ForceOption = Annotated[
    str | None,
    typer.Option(
        metavar="PERIOD",
        autocompletion=periods,
        help="Rewrite this period and everything below it.",
    ),
]
OutdatedOption = Annotated[
    bool,
    typer.Option("--outdated", help="Also rewrite what another recipe wrote, newest first."),
]
MaxCallsOption = Annotated[
    int | None,
    typer.Option("--max-calls", metavar="N", min=0, help="Stop after N summarizer calls."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]


def _add(name: str, levels: Sequence[Level], words: str) -> None:
    @rollup.command(name, help=words)
    def command(
        context: typer.Context,
        *,
        include_open: OpenOption = False,
        since: SinceOption = None,
        force: ForceOption = None,
        outdated: OutdatedOption = False,
        max_calls: MaxCallsOption = None,
        dry_run: DryRunOption = False,
        scheduled: ScheduledOption = False,  # noqa: ARG001 - its callback has noted it
        json: JsonOption = False,
    ) -> ExitCode:
        call = invocation(context)
        choices = Choices(
            include_open, _period(call, since), _forced(call, force, levels), outdated
        )
        if dry_run:
            return _show_forecast(_forecast(call, levels, choices), as_json=json)
        # A node that fails, or a skip, does not keep the next level from its work; what stops all does.
        outcomes: list[Outcome] = []
        for level in levels:
            made = sum(outcome.run.calls for outcome in outcomes)
            left = None if max_calls is None else max_calls - made
            outcomes.append(run_level(call, level, choices, left))
            if outcomes[-1].exit_code not in _GO_ON:
                break
        if json:
            runs = [{**outcome_json(outcome), **_numbers(outcome)} for outcome in outcomes]
            print_json("rollup", VERSION, {"runs": runs})
        else:
            for place, outcome in enumerate(outcomes):
                print_line(_line(outcome, outcomes[:place]))
        return conclude(max(outcomes, key=_severity))


for _level in PERIOD_LEVELS:
    _add(_level.word, (_level,), f"Summarize every {_level.word} that has ended and is stale.")
_add("all", PERIOD_LEVELS, "Summarize days, weeks, months and years, one after the other.")


def _period(call: Invocation, text: str | None) -> Period | None:
    if text is None:
        return None
    reader = Reader(call.store.root, call.now_us, wanted_calendar(call.config))
    with reader.store() as store:
        return reader.period(store, text)


def _forced(call: Invocation, text: str | None, levels: Sequence[Level]) -> Period | None:
    period = _period(call, text)
    if period is not None and period.level not in levels:
        word = period.level.word
        raise UsageError(f"{period.id} is a {word}", hint=f"memtool rollup {word} --force {text}")
    return period


def _severity(outcome: Outcome) -> tuple[bool, int]:
    return outcome.exit_code not in (OK.code, SKIPPED.code), outcome.exit_code


def run_level(
    call: Invocation,
    level: Level,
    choices: Choices,
    max_calls: int | None = None,
    *,
    waits: bool = False,
    show: Show = Show.TERMINAL,
) -> Outcome:
    """Run the rollup job of one level; `waits` and `show` are those of `run`."""
    options = RollupOptions(
        level=level,
        summarizer=summarizer_of(call.config, call.environ, call.store.root),
        calendar=wanted_calendar(call.config),
        zone_is_set=zone_is_set(call.config),
        choices=choices,
        budget=budget_of(call.config, max_calls),
        at_once=call.config.summarizer.concurrency,
    )
    job = f"{level.word}-rollup"
    return run(call, job, partial(roll_up, options=options), waits=waits, show=show)


def _numbers(outcome: Outcome) -> dict[str, object]:
    record = outcome.run
    return {
        "nodes": record.nodes,
        "wrote": {
            level.word: count
            for level in Level
            if (count := record.details.get(f"{WROTE}{level.word}"))
        },
        "removed": record.details.get("removed", 0),
        "calls": record.calls,
        "tokens": record.tokens,
        "periods": record.periods_count,
        "failures": outcome.tally.failures if outcome.tally else [],
    }


def _line(outcome: Outcome, before: Sequence[Outcome] = ()) -> str:
    """Return what the job wrote, or which of the jobs before it wrote its level already."""
    record = outcome.run
    own = record.job.removesuffix("-rollup")
    wrote = _wrote(record)
    parts = [f"wrote {', '.join(wrote)}"] if wrote else []
    if not wrote and record.result in ("done", "partial"):
        others = [one.run.job for one in before if one.run.details.get(f"{WROTE}{own}")]
        parts.append(
            f"nothing to write: {others[-1]} wrote the {own}s" if others else "nothing to write"
        )
    if record.tokens:
        parts.append(f"{record.calls} calls, {record.tokens} tokens")
    if record.details.get("removed"):
        parts.append(f"{record.details['removed']} removed")
    for level, reasons in (record.left or {}).items():
        parts += [f"{count} {level} {reason}" for reason, count in reasons.items()]
    return ", ".join([f"{record.job}: {record.result}", *parts])


def _wrote(run: Run) -> list[str]:
    """Return how many nodes of each level the run wrote, such as "3 days"."""
    found = ((level.word, run.details.get(f"{WROTE}{level.word}", 0)) for level in Level)
    return [number(count, word) for word, count in found if count]


def _forecast(call: Invocation, levels: Sequence[Level], choices: Choices) -> Forecast:
    from memtool.rollup.plan import Forecast, forecast

    access = Access(call.store.root)
    if not access.exists():
        return Forecast()
    with access.reading() as store:
        return forecast(store, levels, choices, call.now_us, without_key(call.config))


def _show_forecast(found: Forecast, *, as_json: bool) -> ExitCode:
    if as_json:
        payload = {
            "periods": [period.id for period in found.periods],
            "segments": found.segments,
            "tokens": found.tokens,
            "calls": found.calls,
            "spend": found.spend,
        }
        print_json("rollup-forecast", VERSION, payload)
        return OK
    for period in found.periods[:_MOST_LINES]:
        print_line(period.id)
    if len(found.periods) > _MOST_LINES:
        print_line(f"and {len(found.periods) - _MOST_LINES} more")
    print_line(
        f"{len(found.periods)} periods to look at, {found.segments} segments to summarize "
        f"({found.tokens} tokens), {found.calls} summarizer calls at most"
    )
    if found.calls:
        print_line(f"a model would take about {found.spend} tokens for that, in and out")
    return OK
