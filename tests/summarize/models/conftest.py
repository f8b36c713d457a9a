"""The two wire formats, and a server with a key and one model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.llm_server import LLMServer
from tests.summarize.models.wires import KEY, Wire


@pytest.fixture(params=["openai", "anthropic"])
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Return each of them, without the proxies of whoever runs the test."""
    name = str(request.param)
    pytest.importorskip(name)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    return Wire(name)


@pytest.fixture
def server() -> Iterator[LLMServer]:
    """Return a server of an honest model."""
    with LLMServer(key=KEY, models=("m1",)) as server:
        yield server
