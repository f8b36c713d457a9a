"""The server of children, one for each process of pytest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.forks import Forks


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Return what forks children of a warmed-up interpreter."""
    server = Forks(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()
