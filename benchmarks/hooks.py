#!/usr/bin/env python3
"""Measures what a hook costs an agent: memtool-hook beside `sh -c 'cat >f; sync f'`, in pairs.

Usage: benchmarks/hooks.py [PAIRS]    (default 200). Prints medians of milliseconds, and of the ratio of each pair.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from memtool.agents.hooks.files import script_text, write_script

PAYLOAD = json.dumps(
    {
        "session_id": "5f0f2a64-0000-4000-8000-000000000001",
        "transcript_path": "/home/noor/.claude/projects/-home-noor-shop/5f0f2a64.jsonl",
        "cwd": "/home/noor/shop",
        "hook_event_name": "Stop",
        "last_assistant_message": "All tests pass; committed. " * 60,
    }
).encode()


def took_ms(argv: list[str]) -> float:
    """Return how long the program takes for the payload."""
    began_s = time.perf_counter()
    subprocess.run(argv, input=PAYLOAD, check=True)
    return (time.perf_counter() - began_s) * 1000


def main(pairs: int) -> None:
    """Print the medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spool, script = folder / "spool", folder / "memtool-hook"
        spool.mkdir()
        write_script(script, script_text(spool, Path("/usr/bin/false")))
        plain = ["sh", "-c", 'cat >"$0"; sync "$0"', str(folder / "f")]
        rows = []
        for _ in range(pairs):
            rows.append((took_ms(plain), took_ms([str(script), "capture", "claude-code"])))
            for path in spool.glob("*.json"):
                path.unlink()
        print(f"cat and sync   {median(row[0] for row in rows):6.2f} ms")
        print(f"memtool-hook   {median(row[1] for row in rows):6.2f} ms")
        print(f"ratio          {median(ours / theirs for theirs, ours in rows):6.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
