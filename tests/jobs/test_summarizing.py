"""Where a model's key comes from, and who is not shown it."""

from __future__ import annotations

from pathlib import Path

from memtool.rollup.configured import budget_of, options_of
from memtool.settings import Config, SummarizerSettings


def key_of(environ: dict[str, str], *, name: str = "openai", endpoint: str = "") -> str:
    config = Config(summarizer=SummarizerSettings(name=name, endpoint=endpoint))
    return options_of(config, environ, Path("/nowhere")).key


def places(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a different key in every place."""
    given = tmp_path / "credentials"
    given.mkdir(parents=True)
    (given / "memtool.llm-key").write_text("of-systemd\n")
    (tmp_path / ".config/memtool").mkdir(parents=True)
    (tmp_path / ".config/memtool/llm-key").write_text("\nof-the-file  \nmore\n".lstrip("\n"))
    return {
        "HOME": str(tmp_path),
        "CREDENTIALS_DIRECTORY": str(given),
        "OPENAI_API_KEY": "of-openai",
        "ANTHROPIC_API_KEY": "of-anthropic",
    }


def test_the_places_are_asked_in_order(tmp_path: Path) -> None:
    environ = places(tmp_path)
    assert key_of(environ) == "of-systemd"
    del environ["CREDENTIALS_DIRECTORY"]
    assert key_of(environ) == "of-openai"
    assert key_of(environ, name="anthropic") == "of-anthropic"
    del environ["OPENAI_API_KEY"]
    assert key_of(environ) == "of-the-file"
    (tmp_path / ".config/memtool/llm-key").unlink()
    assert key_of(environ) == ""


def test_an_empty_credential_is_none(tmp_path: Path) -> None:
    environ = places(tmp_path)
    (tmp_path / "credentials/memtool.llm-key").write_text("\n")
    assert key_of(environ) == "of-openai"


def test_another_endpoint_is_not_shown_the_provider_s_key(tmp_path: Path) -> None:
    environ = places(tmp_path)
    del environ["CREDENTIALS_DIRECTORY"]
    assert key_of(environ, endpoint="http://127.0.0.1:11434/v1") == "of-the-file"
    (tmp_path / ".config/memtool/llm-key").unlink()
    assert key_of(environ, endpoint="http://127.0.0.1:11434/v1") == ""


def test_who_needs_no_key_is_given_none(tmp_path: Path) -> None:
    for name in ("extractive", "command", "mock"):
        assert key_of(places(tmp_path / name), name=name) == ""


def test_a_person_s_bound_takes_the_place_of_the_run_s_own() -> None:
    assert budget_of(Config(), None).calls_per_run is None
    assert budget_of(Config(), 0).calls_per_run == 0
    assert budget_of(Config(), 7).calls_per_run == 7
    assert budget_of(Config(), 7).calls_per_day == 500
