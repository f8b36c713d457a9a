"""Machines with memtool installed in them: made once a session, then booted anew, in half a second, for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.checkout import REPOSITORY, copy_checkout, fetch_wheels
from tests.systemd.machine import Machine, MachineError, Workshop, missing
from tests.systemd.sides import CHECKOUT, INSTALL, PEOPLE, Side

PYTHON = "/usr/bin/python3"  # the one that install.sh takes in system mode

Image = Sequence[str]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Return where machines are made; skip where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("not root: memtool's timers are NOT tried on a real systemd")
    if missing():
        pytest.skip(f"not here: {', '.join(missing())}: the timers are NOT tried on a real systemd")
    with Workshop(tmp_path_factory.mktemp("machines")) as made:
        try:
            made.mount()
        except MachineError as error:
            pytest.skip(f"no mounts allowed: the timers are NOT tried on a real systemd: {error}")
        yield made


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this checkout that everybody may read, as it is now."""
    folder = tmp_path_factory.mktemp("checkout")
    copy_checkout(folder)
    shutil.copy2(REPOSITORY / "tests" / "llm_server.py", folder)  # for programs that are a model
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that memtool needs, fetched once: in the machines nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheels")
    folder.chmod(0o755)
    fetch_wheels(folder, python=PYTHON)
    return folder


@pytest.fixture(scope="session")
def binds(checkout: Path, wheels: Path) -> Mapping[Path, str]:
    """Return what of the host is seen in the machines."""
    return {checkout: CHECKOUT, wheels: "/mnt/wheels"}


@pytest.fixture(scope="session")
def bare(workshop: Workshop, binds: Mapping[Path, str]) -> Image:
    """Return a machine's disk with two people, mira and noor, of whom noor lingers."""
    with Machine(workshop, binds=binds) as machine:
        machine.boot()
        script = (
            f"useradd --create-home --uid {PEOPLE['mira']} mira\n"
            f"useradd --create-home --uid {PEOPLE['noor']} noor\n"
            "loginctl enable-linger noor"
        )
        done = machine.run("sh", "-ec", script)
        assert done.returncode == 0, done.stderr
        return [machine.layer]


Images = Callable[[str], Image]


@pytest.fixture(scope="session")
def images(workshop: Workshop, binds: Mapping[Path, str], bare: Image) -> Images:
    """Return a function that gives the disk with memtool installed for the system, or for a user."""
    made: dict[str, Image] = {}

    def image(mode: str) -> Image:
        if mode not in made:
            with Machine(workshop, layers=bare, binds=binds) as machine:
                side = Side(machine, mode)
                side.boot()
                install(side)
                made[mode] = [machine.layer, *bare]
        return made[mode]

    return image


def install(side: Side, *more: str) -> str:
    """Install memtool with install.sh, as it is meant to be, and return what that said."""
    arguments = ("--system", "--run-as", "mira") if side.mode == "system" else ("--user",)
    command = (*INSTALL, *arguments, *more)
    if side.mode == "user":
        command = side.as_person(*command)
    done = side.machine.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def uninstall(side: Side, *more: str) -> str:
    """Remove memtool with install.sh, and return what that said."""
    command: tuple[str, ...] = (*INSTALL, "--uninstall", f"--{side.mode}", *more)
    if side.mode == "user":
        command = side.as_person(*command)
    done = side.machine.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def booted(
    workshop: Workshop, images: Images, binds: Mapping[Path, str], mode: str
) -> Iterator[Side]:
    """Give a freshly booted machine of its own."""
    with Machine(workshop, layers=images(mode), binds=binds) as machine:
        side = Side(machine, mode)
        side.boot()
        yield side


@pytest.fixture
def system(workshop: Workshop, images: Images, binds: Mapping[Path, str]) -> Iterator[Side]:
    """Return memtool as the system's timers run it, for mira."""
    yield from booted(workshop, images, binds, "system")


@pytest.fixture
def user(workshop: Workshop, images: Images, binds: Mapping[Path, str]) -> Iterator[Side]:
    """Return memtool as noor's own timers run it."""
    yield from booted(workshop, images, binds, "user")


@pytest.fixture(params=["system", "user"])
def side(
    request: pytest.FixtureRequest, workshop: Workshop, images: Images, binds: Mapping[Path, str]
) -> Iterator[Side]:
    """Return memtool installed in either way."""
    yield from booted(workshop, images, binds, request.param)
