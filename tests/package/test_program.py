"""How memtool was installed, asked of real installations; and every command that it names is run as a shell runs it."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from memtool import __version__
from tests.package.conftest import Bench

pytestmark = pytest.mark.slow

DEBIAN_PIPX = Path("/usr/bin/pipx")
FACTS = """(lambda it: {
    "way": it.way,
    "script": it.script and str(it.script),
    "extra": program.extra_hint("openai"),
    "remove": it.remove_command(),
    "upgrade": it.upgrade_command(),
})(program.running_program())"""


def facts(bench: Bench, python: Path, home: Path, **env: str) -> Any:
    return bench.ask(python, FACTS, home=home, **env)


def typed(bench: Bench, line: str, home: Path, **env: str) -> str:
    """Return what a line prints that somebody types into a shell."""
    return bench.run("/bin/sh", "-ec", line, home=home, env=env).stdout


def has_openai(bench: Bench, python: Path, home: Path) -> bool:
    found = "__import__('importlib.util').util.find_spec('openai') is not None"
    return bool(bench.ask(python, found, home=home))


def assert_all_commands_work(bench: Bench, python: Path, home: Path, launcher: Path) -> None:
    """Add an extra, start memtool, upgrade it, remove it, with what it says itself."""
    before = facts(bench, python, home)
    assert before["script"] == str(launcher)
    assert not has_openai(bench, python, home)
    typed(bench, before["extra"], home)
    assert has_openai(bench, python, home)
    assert facts(bench, python, home) == before
    assert typed(bench, f"{shlex.quote(str(launcher))} --version", home) == (
        f"memtool {__version__}\n"
    )
    removal = shlex.join(before["remove"])
    typed(bench, f"yes | {removal}" if " pip " in removal else removal, home)
    assert not launcher.exists()


# --- pipx ---------------------------------------------------------------------------------


@pytest.fixture(params=["current", "Debian's"])
def pipx(request: pytest.FixtureRequest, bench: Bench) -> Path:
    if request.param == "current":
        return bench.tools / "pipx"
    if not DEBIAN_PIPX.exists():
        pytest.skip("not Debian's: its pipx 1.1 is NOT tried")
    return DEBIAN_PIPX


def pipx_python(pipx: Path, home: Path) -> Path:
    below = "pipx" if pipx == DEBIAN_PIPX else "share/pipx"
    return home / ".local" / below / "venvs/agent-memtool/bin/python"


def on_path(pipx: Path, bench: Bench, home: Path) -> dict[str, str]:
    return {"PATH": f"{pipx.parent}:{bench.tools}:{home}/.local/bin:/usr/bin:/bin"}


def test_pipx(bench: Bench, pipx: Path, tmp_path: Path) -> None:
    bench.run(pipx, "install", bench.wheel, home=tmp_path)
    python = pipx_python(pipx, tmp_path)
    found = facts(bench, python, tmp_path)
    assert (found["way"], found["extra"]) == ("pipx", "pipx inject agent-memtool 'openai>=2'")
    assert found["upgrade"] == ["pipx", "upgrade", "agent-memtool"]
    path = on_path(pipx, bench, tmp_path)
    typed(bench, found["extra"], tmp_path, **path)
    assert has_openai(bench, python, tmp_path)
    link = tmp_path / ".local/bin/memtool"
    assert found["script"] == str(link)
    typed(bench, shlex.join(found["remove"]), tmp_path, **path)
    assert not link.is_symlink()


def test_pipx_for_all_users(bench: Bench, pipx: Path, tmp_path: Path) -> None:
    """As root does it, so that system services can start it; later root has another environment."""
    opt = tmp_path / "opt"
    there = {"PIPX_HOME": str(opt / "pipx"), "PIPX_BIN_DIR": str(opt / "bin")}
    bench.run(pipx, "install", bench.wheel, home=tmp_path, env=there)
    python = opt / "pipx/venvs/agent-memtool/bin/python"
    found = facts(bench, python, tmp_path, PATH=f"{opt}/bin:/usr/bin:/bin")
    assert found["script"] == str(opt / "bin/memtool")
    variables = f"env PIPX_HOME={opt}/pipx PIPX_BIN_DIR={opt}/bin"
    assert found["extra"] == f"{variables} pipx inject agent-memtool 'openai>=2'"
    typed(bench, shlex.join(found["remove"]), tmp_path, **on_path(pipx, bench, tmp_path))
    assert not (opt / "bin/memtool").is_symlink()


def test_pipx_run_has_nothing_that_lasts(bench: Bench, pipx: Path, tmp_path: Path) -> None:
    bench.run(pipx, "run", "--spec", bench.wheel, "memtool", "--version", home=tmp_path)
    (found,) = tmp_path.rglob("pipx_metadata.json")
    python = found.with_name("bin") / "python"
    assert_is_of_a_cache(bench, python, tmp_path, f"pipx install file://{bench.wheel}")


# --- uv -----------------------------------------------------------------------------------


def uv_python(home: Path) -> Path:
    return home / ".local/share/uv/tools/agent-memtool/bin/python"


def test_uv_tool(bench: Bench, tmp_path: Path) -> None:
    bench.run("uv", "tool", "install", "-q", bench.wheel, home=tmp_path)
    python = uv_python(tmp_path)
    found = facts(bench, python, tmp_path)
    assert found["way"] == "uv tool"
    assert found["upgrade"] == ["uv", "tool", "upgrade", "agent-memtool"]
    assert_all_commands_work(bench, python, tmp_path, tmp_path / ".local/bin/memtool")


def test_uv_keeps_what_was_asked_for_before(bench: Bench, tmp_path: Path) -> None:
    """The extra anthropic, another package, a Python and an index; from a directory with a space in its name."""
    source = tmp_path / "my checkout"
    shutil.copytree(bench.checkout, source)
    install = ("uv", "tool", "install", "-q", "--with", "six>=1", "--python", "/usr/bin/python3")
    index = ("--find-links", bench.wheel.parent, "--editable")
    bench.run(*install, *index, source, home=tmp_path)
    receipt = tmp_path / ".local/share/uv/tools/agent-memtool/uv-receipt.toml"
    before = receipt.read_text(encoding="utf-8")
    typed(bench, facts(bench, uv_python(tmp_path), tmp_path)["extra"], tmp_path)
    added = '    { name = "openai", specifier = ">=2" },\n'
    after = receipt.read_text(encoding="utf-8")
    assert added in after
    assert after.replace(added, "") == before
    assert bench.ask(uv_python(tmp_path), "__import__('six').__name__", home=tmp_path) == "six"


def test_uv_for_all_users(bench: Bench, tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    there = {"UV_TOOL_DIR": str(opt / "tools"), "UV_TOOL_BIN_DIR": str(opt / "bin")}
    bench.run("uv", "tool", "install", "-q", bench.wheel, home=tmp_path, env=there)
    found = facts(bench, opt / "tools/agent-memtool/bin/python", tmp_path)
    assert found["script"] == str(opt / "bin/memtool")
    assert found["extra"].startswith(
        f"env UV_TOOL_DIR={opt}/tools UV_TOOL_BIN_DIR={opt}/bin uv tool install "
    )
    typed(bench, shlex.join(found["remove"]), tmp_path)
    assert not (opt / "bin/memtool").is_symlink()


def test_uvx_has_nothing_that_lasts(bench: Bench, tmp_path: Path) -> None:
    cache = {"UV_CACHE_DIR": str(tmp_path / ".cache/uv")}
    where = ("python", "-c", "import sys; print(sys.executable)")
    done = bench.run("uvx", "-q", "--from", bench.wheel, *where, home=tmp_path, env=cache)
    python = Path(done.stdout.strip())
    assert_is_of_a_cache(bench, python, tmp_path, f"uv tool install file://{bench.wheel}")


def assert_is_of_a_cache(bench: Bench, python: Path, home: Path, lasting: str) -> None:
    code = (
        "from memtool.errors import ConfigError\n"
        "from memtool.program import running_program\n"
        "try:\n  running_program().launcher()\n"
        "except ConfigError as error:\n  print(error.hint)"
    )
    assert bench.run(python, "-c", code, home=home).stdout.strip() == lasting
    typed(bench, lasting, home)
    assert (home / ".local/bin/memtool").is_symlink()


# --- Environments -------------------------------------------------------------------------


def test_a_virtual_environment_with_pip(bench: Bench, tmp_path: Path) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    bench.run(bench.tools / "python", "-m", "venv", place / "venv", home=tmp_path)
    python = place / "venv/bin/python"
    bench.run(python, "-m", "pip", "install", "-q", bench.wheel, home=tmp_path)
    found = facts(bench, python, tmp_path)
    assert found["way"] == "venv"
    assert found["extra"] == f"'{python}' -m pip install 'openai>=2'"
    assert_all_commands_work(bench, python, tmp_path, python.with_name("memtool"))


def test_a_virtual_environment_without_pip(bench: Bench, tmp_path: Path) -> None:
    python = bench.venv(tmp_path / "venv", bench.wheel)
    assert facts(bench, python, tmp_path)["extra"].startswith("uv pip install --python ")
    assert_all_commands_work(bench, python, tmp_path, python.with_name("memtool"))


def test_an_installation_of_the_script_is_known_by_its_mark(bench: Bench, tmp_path: Path) -> None:
    python = bench.venv(tmp_path / "usr/lib/memtool/a", bench.wheel)
    (python.parents[1] / ".memtool-stamp").touch()
    link = tmp_path / "usr/bin/memtool"
    link.parent.mkdir()
    link.symlink_to(python.with_name("memtool"))
    found = facts(bench, python, tmp_path)
    assert (found["way"], found["script"]) == ("install.sh", str(link))
    folder = tmp_path / "usr/lib/memtool"
    assert found["remove"] == ["rm", "-r", str(folder), str(link)]


def test_the_script_that_installed_is_named_where_it_is(bench: Bench, tmp_path: Path) -> None:
    python = bench.venv(tmp_path / ".local/lib/memtool/a", bench.checkout)
    (python.parents[1] / ".memtool-stamp").touch()
    found = facts(bench, python, tmp_path)
    script = str(bench.checkout / "install.sh")
    assert found["remove"] == [script, "--uninstall", "--user"]
    assert found["upgrade"] == [script, "--user"]


def test_an_editable_checkout(bench: Bench, tmp_path: Path) -> None:
    python = bench.venv(tmp_path / "venv", "-e", bench.checkout)
    found = facts(bench, python, tmp_path)
    assert (found["way"], found["script"]) == ("checkout", str(python.with_name("memtool")))
    assert found["upgrade"] == ["git", "-C", str(bench.checkout), "pull"]


def test_a_checkout_that_is_not_installed_says_how_to(bench: Bench, tmp_path: Path) -> None:
    python = bench.venv(tmp_path / "venv")
    path = {"PYTHONPATH": str(bench.checkout)}
    found = facts(bench, python, tmp_path, **path)
    assert (found["way"], found["script"]) == ("checkout", None)
    hint = bench.ask(python, "program.running_program().install_command()", home=tmp_path, **path)
    assert hint == [str(bench.checkout / "install.sh")]


def test_a_shim_on_path_is_not_the_launcher(bench: Bench, tmp_path: Path) -> None:
    """A version manager's shim starts whatever version the directory asks for."""
    python = bench.venv(tmp_path / "versions/3.12", bench.wheel)
    shim = tmp_path / "shims/memtool"
    shim.parent.mkdir()
    start = shlex.join([str(python.with_name("memtool")), "--version"])
    shim.write_text(f"#!/bin/sh\nexec {start}\n", encoding="utf-8")
    shim.chmod(0o755)
    found = facts(bench, python, tmp_path, PATH=f"{shim.parent}:/usr/bin:/bin")
    assert found["script"] == str(python.with_name("memtool"))


def test_a_python_that_is_no_environment(bench: Bench, tmp_path: Path) -> None:
    """Installed by pip, which wants to be overridden where a distribution forbids it; or by the distribution."""
    python = Path("/usr/bin/python3")
    target = tmp_path / "packages"
    install = ("uv", "pip", "install", "-q", "--python", python, "--target", target)
    bench.run(*install, bench.wheel, home=tmp_path)
    path = {"PYTHONPATH": str(target)}
    found = facts(bench, python, tmp_path, **path)
    assert (found["way"], found["script"]) == ("python", str(target / "bin/memtool"))
    marker = "__import__('sysconfig').get_path('stdlib') + '/EXTERNALLY-MANAGED'"
    is_managed = Path(bench.ask(python, marker, home=tmp_path, **path)).exists()
    assert ("--break-system-packages" in found["extra"]) is is_managed
    next(target.glob("agent_memtool-*/INSTALLER")).write_text("debian\n", encoding="utf-8")
    found = facts(bench, python, tmp_path, **path)
    assert found["way"] == "package"
    assert found["extra"] == "install openai>=2 with your package manager"
    assert (found["remove"], found["upgrade"]) == ([], [])
