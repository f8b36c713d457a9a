"""The commands for uv, which has to be asked again for all that it was asked before, from its receipt."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from memtool.program import Program, extra_hint, requirements

ASKED = "uv tool install --with 'openai>=2'"


@pytest.mark.parametrize(
    ("receipt", "command"),
    [
        ('requirements = [{ name = "agent-memtool" }]', f"{ASKED} agent-memtool"),
        (
            'requirements = [{ name = "agent-memtool", extras = ["anthropic"], specifier = "==0.1.0" }]',
            f"{ASKED} 'agent-memtool[anthropic]==0.1.0'",
        ),
        (
            'requirements = [{ name = "agent-memtool", git = "https://example.org/m.git?rev=v1" }]',
            f"{ASKED} 'agent-memtool @ git+https://example.org/m.git@v1'",
        ),
        (
            'requirements = [{ name = "agent-memtool", url = "https://example.org/m.whl" }]',
            f"{ASKED} 'agent-memtool @ https://example.org/m.whl'",
        ),
        (
            'requirements = [{ name = "agent-memtool", editable = "/srv/my checkout" }]',
            f"{ASKED} --editable 'agent-memtool @ /srv/my checkout'",
        ),
        (
            (
                'requirements = [{ name = "agent-memtool" }, { name = "six", specifier = ">=1" }, '
                '{ name = "openai", specifier = ">=2" }]\npython = "3.12"'
            ),
            "uv tool install --python 3.12 --with 'six>=1' --with 'openai>=2' agent-memtool",
        ),
        (
            (
                'requirements = [{ name = "agent-memtool" }]\n'
                '[tool.options]\nindex-url = "https://example.org/simple"\nfind-links = ["/a", "/b"]'
            ),
            (
                "uv tool install --index-url=https://example.org/simple --find-links=/a --find-links=/b "
                "--with 'openai>=2' agent-memtool"
            ),
        ),
    ],
)
def test_uv_is_asked_again_for_all_that_it_was_asked(
    tmp_path: Path, receipt: str, command: str
) -> None:
    (tmp_path / "uv-receipt.toml").write_text(f"[tool]\n{receipt}\n", encoding="utf-8")
    program = Program("uv tool", tmp_path, "python", None)
    assert shlex.join(program.extra_command("openai")) == command


def test_an_extra_needs_what_the_project_says() -> None:
    assert requirements("openai") == ("openai>=2",)
    assert "'openai>=2'" in extra_hint("openai")
