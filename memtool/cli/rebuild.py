"""`memtool rebuild`: rewrite all summaries, with another calendar if wanted."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace

from memtool.cli.options import Invocation, JsonOption, invocation
from memtool.cli.output import print_json, print_line
from memtool.cli.running import conclude, outcome_json, run
from memtool.errors import OK, ExitCode, UsageError
from memtool.jobs.runner import Outcome
from memtool.model.calendar import Calendar
from memtool.model.levels import Level
from memtool.rollup.configured import budget_of, summarizer_of, wanted_calendar, zone_is_set
from memtool.rollup.plan import Choices, Forecast, RollupOptions, rough_price
from memtool.rollup.rebuild import Report, abandon, next_calendar, price
from memtool.rollup.rebuild import rebuild as rebuild_body
from memtool.store.access import Access
from memtool.summarize import row

VERSION = 1
_JOB = "rebuild"


def rebuild(
    context: typer.Context,
    *,
    calendar: Annotated[
        bool, typer.Option("--calendar", help="Use the calendar of the configuration.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what it would cost.")
    ] = False,
    abandons: Annotated[
        bool, typer.Option("--abandon", help="Delete the unfinished result of an earlier rebuild.")
    ] = False,
    with_gaps: Annotated[
        bool,
        typer.Option("--with-gaps", help="Use the result even if nodes could not be summarized."),
    ] = False,
    max_calls: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Stop after N summarizer calls."),
    ] = None,
    json: JsonOption = False,
) -> ExitCode:
    """Rewrite all summaries in a second table of contents, which replaces the current one when it is complete.

    Unchanged nodes are copied without calls. After an interruption the next rebuild continues. If more than one node in
    ten could not be summarized, the current table stays.
    """
    if abandons and (calendar or dry_run or with_gaps or max_calls is not None):
        raise UsageError("--abandon goes with no other option", hint="memtool rebuild --abandon")
    call = invocation(context)
    report = Report()
    if abandons:
        return _concluded(run(call, _JOB, abandon), report, as_json=json)
    options = _options(call, max_calls)
    if dry_run:
        return _show_price(call, options if calendar else None, as_json=json)
    outcome = run(
        call,
        _JOB,
        lambda running: rebuild_body(
            running, options, report, adopts_calendar=calendar, takes_gaps=with_gaps
        ),
    )
    return _concluded(outcome, report, as_json=json)


def _options(call: Invocation, max_calls: int | None) -> RollupOptions:
    return RollupOptions(
        level=Level.YEAR,
        summarizer=summarizer_of(call.config, call.environ, call.store.root),
        calendar=wanted_calendar(call.config),
        zone_is_set=zone_is_set(call.config),
        choices=Choices(),
        budget=budget_of(call.config, max_calls),
        at_once=call.config.summarizer.concurrency,
    )


def _concluded(outcome: Outcome, report: Report, *, as_json: bool) -> ExitCode:
    record = outcome.run
    if as_json:
        numbers = {
            "nodes": record.nodes,
            "copied": report.copied,
            "calls": record.calls,
            "tokens": record.tokens,
            "missing": report.missing,
            "taken_over": report.is_taken_over,
            "failures": outcome.tally.failures if outcome.tally else [],
        }
        print_json("rebuild", VERSION, {**outcome_json(outcome), **numbers})
    elif record.periods_count or report.is_taken_over:
        spent = f", {record.calls} calls, {record.tokens} tokens" if record.tokens else ""
        print_line(
            f"rebuild: {record.result}, {record.nodes} nodes written, {report.copied} copied{spent}"
        )
        if not report.is_taken_over:
            print_line("the table of contents is the one before; memtool rebuild goes on")
        if report.has_new_calendar:
            print_line("the timers follow the new calendar with: memtool scheduler apply")
    return conclude(outcome)


def _show_price(call: Invocation, options: RollupOptions | None, *, as_json: bool) -> ExitCode:
    access = Access(call.store.root)
    forecast, have, wanted = Forecast(), None, None
    if access.exists():
        with access.reading() as store:
            have, wanted = store.calendar, next_calendar(store, options)
            forecast = price(store, wanted, call.now_us)
        if row(call.config.summarizer.name).waits:
            forecast = replace(forecast, model=rough_price(forecast.periods))
    if as_json:
        payload = {
            "calendar": wanted.describe() if wanted else None,
            "periods": [period.id for period in forecast.periods],
            "segments": forecast.segments,
            "tokens": forecast.tokens,
            "copied": forecast.copied,
            "calls": forecast.calls,
            "spend": forecast.spend,
        }
        print_json("rebuild-forecast", VERSION, payload)
        return OK
    _print_change(have, wanted)
    print_line(
        f"{len(forecast.periods)} periods and {forecast.segments} segments ({forecast.tokens} "
        f"tokens) to summarize, {forecast.calls} summarizer calls at most; {forecast.copied} nodes stay"
    )
    if forecast.calls:
        print_line(f"a model would take about {forecast.spend} tokens for that, in and out")
    return OK


def _print_change(have: Calendar | None, wanted: Calendar | None) -> None:
    if have is None or wanted is None or have == wanted:
        return
    old, new = have.describe(), wanted.describe()
    changes = [f"{name} {old[name]} -> {new[name]}" for name in old if old[name] != new[name]]
    print_line(f"calendar: {', '.join(changes)}")
