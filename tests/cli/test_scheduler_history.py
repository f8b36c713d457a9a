"""What a run counted, as `memtool scheduler history` shows it: calls and tokens where there were any, in 80 columns."""

from __future__ import annotations

from memtool.cli.scheduler.text import did, history_lines
from memtool.ledger.file import Run


def run(events: int = 0, nodes: int = 0, calls: int = 0, tokens: int = 0) -> Run:
    return Run(
        run="r",
        job="day-rollup",
        trigger="timer",
        started_us=1_795_000_000_000_000,
        pid=7,
        version="0.1.0",
        result="done",
        events=events,
        nodes=nodes,
        calls=calls,
        tokens=tokens,
    )


def test_calls_and_tokens_are_told_where_there_were_any() -> None:
    assert did(run(nodes=3, calls=5, tokens=12_043)) == "3 nodes, 5 calls, 12,043 tokens"
    assert did(run(nodes=1, calls=1)) == "1 node, 1 call"
    assert did(run()) == ""


def test_a_long_row_goes_on_in_its_column_and_keeps_numbers_with_their_words() -> None:
    heads, *rows = history_lines([run(events=12, nodes=30, calls=41, tokens=1_204_113)])
    column = heads.index("DID")
    assert [row[column:] for row in rows] == [
        "12 events, 30 nodes,",
        "41 calls,",
        "1,204,113 tokens",
    ]
    assert max(map(len, rows)) <= 80
    assert rows[1].strip() == "41 calls,"
