"""The ways to install memtool, as a person types them, and how each is undone. The README's are taken from it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from memtool.program import Way as Installer
from memtool.systemd.setup import lasting_command
from tests.release_parts.readme import command

VENV_PACKAGE = "apt-get update -qq\napt-get install -y -qq --no-install-recommends python3-venv\n"
PIPX_PACKAGE = "apt-get update -qq\napt-get install -y -qq --no-install-recommends pipx\n"
CLONE = "git clone -q /mnt/dist/memtool.bundle memtool\n"
TOOLS = "/opt/tools"  # current pipx and uv, which Debian does not have
CURRENT_TOOL = f"{VENV_PACKAGE}python3 -m venv {TOOLS}\n{TOOLS}/bin/pip install -q %s\n"
UV = f"{CURRENT_TOOL % 'uv'}ln -s {TOOLS}/bin/uv /usr/local/bin/\n"
SETUP = "memtool setup --user --yes"
# What the tools themselves leave behind: their caches, their Pythons, their folders.
CACHES = r"/(home/\w+|root)/\.cache(/|$)"
PIPX_LEAVES = (
    CACHES,
    r"/(home/\w+|root)/\.local/?(pipx|bin|share/pipx|share/man|state/pipx|share|state)?(/(logs|shared|trash|\.cache|venvs).*)?$",
    r"/(home/\w+|root)/\.local/(pipx|share/pipx|state/pipx)/",
    r"/opt/pipx(/|$)",
)
UV_LEAVES = (
    CACHES,
    r"/(home/\w+|root)/\.local(/(bin|share|share/uv(/.*)?))?$",
    r"/opt/uv(/|$)",
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to install memtool. Scripts of `user` mode run as the person in their home, others as root."""

    name: str
    mode: str  # as a Side has it: "user" or "system"
    prepare: str  # as root: what must be there before
    install: str
    remove: str  # all of it, with the memory
    program: str  # memtool, when it is installed
    fetch: str = ""  # as whom installs, before the list of files is made
    leaves: tuple[str, ...] = ()  # patterns of the paths that are not memtool's
    keeps_memory: bool = False  # whether the removal leaves the memory


INSTALL, READ, REMOVE = range(3)  # the blocks of the README


def of_readme(name: str, word: str, *, prepare: str, path: str, leaves: tuple[str, ...]) -> Way:
    """Return a way as the README has it: in a checkout, on a terminal, answering each question with Enter."""
    program = f"/home/noor/{path}/memtool"
    return Way(
        name=name,
        mode="user",
        prepare=prepare,
        fetch=CLONE,
        install=f"cd memtool\n{on_terminal(command(INSTALL, word))}",
        remove=f"cd memtool\nPATH=~/{path}:$PATH\n{on_terminal(command(REMOVE, word))}",
        program=program,
        leaves=leaves,
        keeps_memory=True,
    )


def of_hint(name: str, how: Installer, *, prepare: str, path: str, leaves: tuple[str, ...]) -> Way:
    """Return a way for the system as memtool's own hints have it: one to install, one to remove the program."""
    install = lasting_command(how, "mira").removeprefix("sudo ")
    return Way(
        name=name,
        mode="system",
        prepare=prepare,
        install=f"{install}\n{path}/memtool setup --system --run-as mira --yes",
        remove=f"""\
said=$({path}/memtool setup --remove --purge --system --yes 2>&1)
yes | sh -ec "${{said##*This removes it: }}\"""",
        program=f"{path}/memtool",
        leaves=leaves,
    )


def on_terminal(line: str) -> str:
    """Return what runs a command on a terminal of its own. It answers each question with Enter."""
    return f"yes '' | head -n 40 | script --quiet --return --command {shlex.quote(line)} /dev/null"


WAYS = (
    of_readme(
        "clone-user", "install.sh", prepare=VENV_PACKAGE, path=".local/bin", leaves=(CACHES,)
    ),
    of_readme(
        "pip-user",
        "venv",
        prepare=VENV_PACKAGE,
        path=".venvs/memtool/bin",
        leaves=(CACHES, r"/home/noor/\.venvs$"),
    ),
    of_readme("pipx-user", "pipx", prepare=PIPX_PACKAGE, path=".local/bin", leaves=PIPX_LEAVES),
    of_readme(
        "uv-user",
        "uv tool",
        prepare=UV,
        path=".local/bin",
        leaves=UV_LEAVES,
    ),
    Way(
        name="clone-system",
        mode="system",
        prepare=VENV_PACKAGE,
        fetch=CLONE,
        install="cd memtool\n./install.sh --system --run-as mira",
        remove="cd memtool\n./install.sh --uninstall --system --purge",
        program="/usr/local/bin/memtool",
        leaves=(CACHES,),
    ),
    Way(
        name="pipx-current",
        mode="user",
        prepare=CURRENT_TOOL % "pipx",
        install=f"{TOOLS}/bin/pipx install agent-memtool\nPATH=~/.local/bin:$PATH\n{SETUP}",
        remove=f"""\
PATH=~/.local/bin:$PATH
memtool setup --remove --purge --yes
{TOOLS}/bin/pipx uninstall agent-memtool""",
        program="/home/noor/.local/bin/memtool",
        leaves=PIPX_LEAVES,
    ),
    of_hint("pipx-system", "pipx", prepare=PIPX_PACKAGE, path="/usr/local/bin", leaves=PIPX_LEAVES),
    of_hint("uv-system", "uv tool", prepare=UV, path="/usr/local/bin", leaves=UV_LEAVES),
    of_hint(
        "pip-system",
        "venv",
        prepare=VENV_PACKAGE,
        path="/opt/memtool/bin",
        leaves=(CACHES, r"/opt/memtool(/|$)"),
    ),
)
