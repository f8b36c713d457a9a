"""What a summarizer's program is made of, in homes as people have them: native, npm, nvm, pipx, a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from memtool.errors import ConfigError
from memtool.systemd.programs import Program, find_program


def program(path: Path, text: str = "\x7fELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def found(home: Path, *words: str, search: tuple[Path, ...] = ()) -> Program:
    return find_program(words, search, home)


def test_a_program_of_the_system_needs_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, "cat") == Program((), ())
    assert found(tmp_path, "/usr/bin/env", "cat") == Program((), ())


def test_a_native_program_is_its_folder_and_what_its_link_leads_to(tmp_path: Path) -> None:
    program(tmp_path / ".local/share/claude/versions/2.1")
    link(tmp_path / ".local/bin/claude", f"{tmp_path}/.local/share/claude/versions/2.1")
    assert found(tmp_path, "claude", "-p") == Program(
        (tmp_path / ".local/bin",),
        (tmp_path / ".local/bin", tmp_path / ".local/share/claude/versions"),
    )


def test_a_node_program_of_nvm_is_its_installation_and_node_is_on_path(tmp_path: Path) -> None:
    node = tmp_path / ".nvm/versions/node/v20"
    program(node / "lib/node_modules/llm/cli.js", "#!/usr/bin/env node\n")
    program(node / "bin/node")
    link(node / "bin/llm", "../lib/node_modules/llm/cli.js")
    wanted = Program((node / "bin",), (node,))
    assert found(tmp_path, "llm", search=(Path("/usr/bin"), node / "bin")) == wanted


def test_of_npms_own_prefix_only_the_packages_are_needed(tmp_path: Path) -> None:
    packages = tmp_path / ".local/lib/node_modules"
    program(packages / "llm/cli.js", "#!/usr/bin/env -S sh\n")
    link(tmp_path / ".local/bin/llm", "../lib/node_modules/llm/cli.js")
    assert found(tmp_path, "llm") == Program(
        (tmp_path / ".local/bin",),
        (tmp_path / ".local/bin", packages),
    )


def test_a_python_program_is_its_environment_and_its_interpreter(tmp_path: Path) -> None:
    environment = tmp_path / ".local/share/pipx/venvs/llm"
    python = program(tmp_path / ".pyenv/versions/3.12/bin/python3.12").parents[1]
    (python / "lib").mkdir()
    link(environment / "bin/python", f"{python}/bin/python3.12")
    (environment / "pyvenv.cfg").touch()
    program(environment / "bin/llm", f"#!{environment}/bin/python\n")
    link(tmp_path / ".local/bin/llm", f"{environment}/bin/llm")
    assert found(tmp_path, "llm") == Program(
        (tmp_path / ".local/bin",), (tmp_path / ".local/bin", environment, python)
    )


def test_a_script_in_the_home_is_that_file_and_no_more(tmp_path: Path) -> None:
    script = program(tmp_path / "ask", "#!/bin/sh\n")
    assert (
        found(tmp_path, "~/ask") == found(tmp_path, str(script)) == Program((tmp_path,), (script,))
    )


def test_settings_before_the_program_are_looked_past(tmp_path: Path) -> None:
    asked = program(tmp_path / "bin/ask")
    both = found(tmp_path, "env", "HOME=/x", "A_1=", "ask", "-p")
    assert both == found(tmp_path, str(asked))
    assert found(tmp_path, "env", "-i", "ask").folders == ()


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", "./here", "~/none"])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"no such program: {name}"):
        found(tmp_path, name)


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path) -> None:
    script = program(tmp_path / "bin/ask", "#!/usr/bin/env no-such-node\n")
    with pytest.raises(ConfigError, match=f"{script} needs no-such-node"):
        found(tmp_path, "ask")


def test_a_file_that_may_not_be_run_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "first/ask").chmod(0o644)
    (tmp_path / "second/ask").mkdir(parents=True)
    third = program(tmp_path / "third/ask").parent
    search = tuple(tmp_path / name for name in ("first", "second", "third"))
    assert found(tmp_path, "ask", search=search).folders == (third,)


def test_links_and_interpreters_in_circles_come_to_an_end(tmp_path: Path) -> None:
    circle = program(tmp_path / "bin/ask", f"#!{tmp_path}/bin/ask\n")
    assert found(tmp_path, "ask").parts == (circle.parent,)
