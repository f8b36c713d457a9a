"""Waiting for what another process does. No test's result depends on how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable

HUNG_S = 600
"""After this a test hangs. On a busy machine anything shorter would fail tests at random."""


def wait_until(happened: Callable[[], object], what: str = "") -> None:
    """Return as soon as it has happened."""
    end_s = time.monotonic() + HUNG_S
    while not happened():
        assert time.monotonic() < end_s, f"still waiting after {HUNG_S} s: {what or happened}"
        time.sleep(0.02)
