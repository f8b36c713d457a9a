"""The summarizers that speak to a server, each with the options that its SDK takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs

from memtool.errors import MemtoolError
from memtool.model.summary import Draft, Request
from memtool.summarize import Options
from tests.llm_server import Behaviour, LLMServer
from tests.summarize.requests import day, thread
from tests.summarize.unmetered import remote, unmetered
from tests.waiting import HUNG_S

TWO = day(
    thread(
        1,
        ("title", "Fix the login bug in auth.py"),
        ("result", "The token was never refreshed. I changed auth.py; all tests pass."),
    )
)
KEY = "sk-test-0123456789"


@dataclass(frozen=True, slots=True)
class Wire:
    """One of the two summarizers."""

    name: str

    def options(self, server: LLMServer, **changes: Any) -> Options:
        endpoint = server.openai_url if self.name == "openai" else server.url
        return structs.replace(
            Options(model="m1", endpoint=endpoint, key=KEY, timeout_s=HUNG_S), **changes
        )

    def draft(self, server: LLMServer, request: Request = TWO, **changes: Any) -> Draft:
        summarizer = remote(self.name, self.options(server, **changes))
        return asyncio.run(summarizer.summarize(request, unmetered))

    def fault(self, kind: type[MemtoolError], *script: Behaviour, **changes: Any) -> MemtoolError:
        """Return the error of that kind; its message is one line, and tells no key."""
        with LLMServer(*script) as server, pytest.raises(kind) as caught:
            self.draft(server, **changes)
        error = caught.value
        assert len(f"{error.message}{error.hint}".splitlines()) == 1
        assert KEY not in f"{error.message}{error.hint}"
        return error
