"""Unit files of an installation: the shipped ones with its program, and read back as what they were written for."""

from __future__ import annotations

import getpass
import pwd
import subprocess
from pathlib import Path

import pytest

from memtool.systemd.changes import Change, changes, write
from memtool.systemd.dropins import possible_paths
from memtool.systemd.jobs import JOBS, STARTERS
from memtool.systemd.states import SLICE
from memtool.systemd.units import (
    COMMON,
    RUN_AS,
    SANDBOX,
    TRANSCRIPTS,
    Installation,
    installation_in,
    possible_unit_paths,
    sandbox_properties,
    unit_files,
)

REPOSITORY = Path(__file__).resolve().parents[2]
BEFORE = "ea0c955"  # the last commit whose install.sh wrote the units itself
ME = getpass.getuser()
HOME = Path(pwd.getpwnam(ME).pw_dir)
UNITS = {SLICE, COMMON, *STARTERS, *(job.unit for job in JOBS)}


def start(installation: Installation, job: str = "week-rollup") -> str:
    text = unit_files(installation)[f"memtool-{job}.service"]
    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    return line.removeprefix("ExecStart=")


def put(directory: Path, installation: Installation) -> None:
    for name, text in unit_files(installation).items():
        write(Change(directory / name, None, text))


def test_an_installation_has_the_units_of_every_job() -> None:
    for installation in (
        Installation("system", Path("/usr/local/bin/memtool")),
        Installation("user", HOME / ".local/bin/memtool", home=HOME),
    ):
        assert set(unit_files(installation)) == UNITS


PROGRAMS = {
    "/opt/memtool/bin/memtool": "/opt/memtool/bin/memtool",
    "/opt/100% sure/memtool": '"/opt/100%% sure/memtool"',
    "/opt/it's/$HOME/memtool": """/bin/sh -c 'exec "$$0" "$$@"' "/opt/it's/$$HOME/memtool\"""",
    '/opt/"a\\b"/memtool': """/bin/sh -c 'exec "$$0" "$$@"' "/opt/\\"a\\\\b\\"/memtool\"""",
}


@pytest.mark.parametrize(("program", "written"), PROGRAMS.items())
def test_a_program_elsewhere_is_named_as_systemd_reads_it(program: str, written: str) -> None:
    assert start(Installation("system", Path(program))) == f"{written} rollup week"
    assert start(Installation("user", Path(program), home=HOME)) == f"{written} rollup week"


def test_a_program_in_the_home_of_a_user_moves_with_it() -> None:
    program = HOME / "my tools/memtool"
    assert start(Installation("user", program, home=HOME)) == '"%h/my tools/memtool" rollup week'
    assert start(Installation("user", program)) == f'"{program}" rollup week'


@pytest.mark.parametrize("program", [*PROGRAMS, f"{HOME}/.local/bin/memtool", f"{HOME}/a 'b' %/m"])
@pytest.mark.parametrize(
    "installation",
    [
        Installation("user", Path(), home=HOME),
        Installation("user", Path(), home=HOME, has_sandbox=True),
        Installation("user", Path()),
        Installation("system", Path()),
        Installation("system", Path(), ME, HOME),
    ],
)
def test_what_was_written_for_an_installation_is_read_back(
    tmp_path: Path, installation: Installation, program: str
) -> None:
    put(tmp_path, installation._replace(program=Path(program)))
    found = installation_in(tmp_path, installation.scope, HOME)
    assert found is not None
    assert found.program == Path(program)
    assert unit_files(found) == unit_files(installation._replace(program=Path(program)))


def test_the_system_s_jobs_run_as_the_person_and_see_little_of_the_home() -> None:
    made = unit_files(Installation("system", Path("/opt/m"), "mira", Path("/home/m 1/a:b%")))
    assert set(made) == UNITS | {RUN_AS, *TRANSCRIPTS}
    assert [line for line in made[RUN_AS].splitlines() if not line.startswith("#")] == [
        "[Service]",
        "User=mira",
        r'BindReadOnlyPaths="-/home/m 1/a\:b%%/.config/memtool"',
    ]
    assert r'BindReadOnlyPaths="-/home/m 1/a\:b%%/.claude"' in made[TRANSCRIPTS[0]].splitlines()


def test_a_person_who_is_not_there_any_more_has_no_home_to_let_in(tmp_path: Path) -> None:
    put(tmp_path, Installation("system", Path("/opt/m"), "no-such-user", Path("/home/x")))
    found = installation_in(tmp_path, "system", HOME)
    assert found == Installation("system", Path("/opt/m"), "no-such-user")
    assert TRANSCRIPTS[0] not in unit_files(found)


def test_without_units_there_is_no_installation(tmp_path: Path) -> None:
    assert installation_in(tmp_path, "user", HOME) is None
    assert installation_in(tmp_path / "none", "user", HOME) is None
    (tmp_path / "memtool-ingest.service").write_text("[Service]\nExecStart=\n")
    assert installation_in(tmp_path, "user", HOME) is None


def test_one_service_that_is_left_tells_what_was_installed(tmp_path: Path) -> None:
    put(tmp_path, Installation("user", Path("/opt/m")))
    for job in JOBS[:-1]:
        (tmp_path / job.unit).unlink()
    assert installation_in(tmp_path, "user", HOME) == Installation("user", Path("/opt/m"))


def test_every_file_that_may_be_written_is_known_for_its_removal() -> None:
    for installation in (
        Installation("system", Path("/m"), ME, HOME),
        Installation("user", Path("/m"), has_sandbox=True),
    ):
        assert set(unit_files(installation)) <= set(possible_unit_paths())
    assert SANDBOX in possible_unit_paths()
    assert not set(possible_unit_paths()) & set(possible_paths())


def test_the_lines_of_the_sandbox_are_what_a_trial_takes() -> None:
    lines = sandbox_properties(Path("/home/m"))
    assert "PrivateUsers=yes" in lines
    assert "ReadWritePaths=-/home/m/.local/state/memtool" in lines
    assert not any(line.startswith(("ExecStartPre", "#", "[")) for line in lines)


def old_file(name: str) -> str:
    """Return a file of the last version that had another layout."""
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "show", f"{BEFORE}:{name}"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("no history here: an upgrade from the old layout is NOT tried")
    return done.stdout


@pytest.mark.parametrize("has_sandbox", [False, True])
def test_a_user_s_installation_of_the_old_layout_is_taken_over(
    tmp_path: Path, *, has_sandbox: bool
) -> None:
    for job in JOBS:
        write(Change(tmp_path / job.timer, None, old_file(f"systemd/{job.timer}")))
        write(Change(tmp_path / job.unit, None, old_file(f"systemd/user/{job.unit}")))
        if has_sandbox:
            text = old_file("systemd/user/10-sandbox.conf")
            write(Change(tmp_path / f"{job.unit}.d/10-sandbox.conf", None, text))
    found = installation_in(tmp_path, "user", HOME)
    wanted = Installation(
        "user", HOME / ".local/bin/memtool", home=HOME, has_sandbox=has_sandbox or None
    )
    assert found == wanted
    renewed(tmp_path, wanted)


def test_a_system_s_installation_of_the_old_layout_is_taken_over(tmp_path: Path) -> None:
    for job in JOBS:
        write(Change(tmp_path / job.timer, None, old_file(f"systemd/{job.timer}")))
        write(Change(tmp_path / job.unit, None, old_file(f"systemd/system/{job.unit}")))
        run_as = f"[Service]\nUser={ME}\nBindReadOnlyPaths=-{HOME}/.config/memtool\n"
        write(Change(tmp_path / f"{job.unit}.d/10-run-as.conf", None, run_as))
    transcripts = f"[Service]\nBindReadOnlyPaths=-{HOME}/.claude\n"
    path = tmp_path / "memtool-ingest.service.d/10-transcripts.conf"
    write(Change(path, None, transcripts))
    found = installation_in(tmp_path, "system", Path("/root"))
    wanted = Installation("system", Path("/usr/local/bin/memtool"), ME, HOME)
    assert found == wanted
    renewed(tmp_path, wanted)


def renewed(directory: Path, installation: Installation) -> None:
    """Renew the files, after which nothing but the new ones is there, and somebody else's."""
    theirs = directory / "memtool-ingest.service.d/override.conf"
    write(Change(theirs, None, "[Service]\nNice=0\n"))
    wanted = {directory / name: text for name, text in unit_files(installation).items()}
    ours = [directory / name for name in possible_unit_paths()]
    for change in changes(wanted, ours):
        write(change)
    assert {path for path in directory.rglob("*") if path.is_file()} == {*wanted, theirs}
    assert changes(wanted, ours) == []
