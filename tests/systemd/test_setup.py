"""`memtool setup` and its removal on a booted systemd: for a user and for the system."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from memtool.systemd.jobs import JOBS
from tests.checkout import REPOSITORY
from tests.systemd.conftest import PYTHON, Image
from tests.systemd.machine import Done, Machine, Workshop, wait_until
from tests.systemd.sides import CHECKOUT, PEOPLE, Side

pytestmark = pytest.mark.slow

TIMERS = [job.timer for job in JOBS]
PROGRAM = "/opt/memtool/bin/memtool"
OLD, OLD_COMMIT = "/mnt/old", "ea0c955"
NO_NETWORK = ("env", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/mnt/wheels")
# What a run leaves beside memtool's files: journals, logs, caches of Python and of systemd's users.
LISTED = "find /etc /usr/local /opt /home /var/lib /run/systemd/system /run/user -xdev"


@pytest.fixture(scope="session")
def program_image(workshop: Workshop, binds: Mapping[Path, str], bare: Image) -> Image:
    """Return a machine's disk with memtool in a virtual environment that everybody can reach, and nothing set up."""
    with Machine(workshop, layers=bare, binds=binds) as machine:
        machine.boot()
        pip = f"{PROGRAM.removesuffix('memtool')}pip install --quiet {CHECKOUT}"
        script = f"umask 022; /usr/bin/python3 -m venv /opt/memtool && {pip}"
        done = machine.run(*NO_NETWORK, "sh", "-c", script)
        assert done.returncode == 0, done.stdout + done.stderr
        return [machine.layer, *bare]


@dataclass(frozen=True)
class Place(Side):
    """A side whose program is in /opt, with what these tests do to it."""

    def setup(self, *arguments: str, program: str = PROGRAM) -> Done:
        """Run `memtool setup` for this side, without a question."""
        command = (program, "setup", f"--{self.mode}", "--yes", *arguments)
        if self.mode == "user":
            return self.machine.run(*self.as_person(*command))
        return self.machine.run(*command)

    def install(self, *arguments: str) -> str:
        """Set it up, and return what was said."""
        who = ("--run-as", self.person) if self.mode == "system" else ()
        done = self.setup(*who, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def memtool(self, *arguments: str, stdin: str = "") -> Done:
        """Run memtool as the person does."""
        return self.machine.run(*self.as_person(PROGRAM, *arguments), stdin=stdin)

    def files(self) -> set[str]:
        """Return the path of every file and directory that could be memtool's."""
        done = self.machine.run("sh", "-c", f"{LISTED} -not -path '*__pycache__*' | sort")
        return {path for path in done.stdout.splitlines() if "/run/user/" not in path}

    def states(self) -> dict[str, str]:
        """Return whether each timer is enabled."""
        return {timer: self.property(timer, "UnitFileState") for timer in TIMERS}

    def is_firing(self) -> bool:
        """Return whether all timers are active."""
        return self.control("is-active", *TIMERS).returncode == 0


@pytest.fixture(params=["system", "user"])
def place(
    request: pytest.FixtureRequest,
    workshop: Workshop,
    program_image: Image,
    binds: Mapping[Path, str],
) -> Iterator[Place]:
    """Return a booted machine with the program alone, for either side."""
    yield from booted(workshop, program_image, binds, request.param)


@pytest.fixture
def system_place(
    workshop: Workshop, program_image: Image, binds: Mapping[Path, str]
) -> Iterator[Place]:
    """Return the same for the system."""
    yield from booted(workshop, program_image, binds, "system")


@pytest.fixture
def user_place(
    workshop: Workshop, program_image: Image, binds: Mapping[Path, str]
) -> Iterator[Place]:
    """Return the same for a user."""
    yield from booted(workshop, program_image, binds, "user")


def booted(
    workshop: Workshop, image: Image, binds: Mapping[Path, str], mode: str
) -> Iterator[Place]:
    with Machine(workshop, layers=image, binds=binds) as machine:
        found = Place(machine, mode)
        found.boot()
        yield found


def test_setup_enables_and_starts_every_timer_and_a_job_runs(place: Place) -> None:
    said = place.install()
    assert "6 timers enabled" in said
    assert "No job has run on this store yet." in said
    assert place.states() == dict.fromkeys(TIMERS, "enabled")
    assert place.is_firing()
    place.take_in()
    assert place.runs("ingest")[-1]["result"] == "done"
    assert place.property("memtool-ingest.service", "Result") == "success"


def test_after_setup_and_removal_the_files_are_those_of_before(place: Place) -> None:
    before = place.files()
    place.install()
    assert place.files() > before
    done = place.setup("--remove")
    assert done.returncode == 0, done.stderr
    assert place.files() - before == set()
    assert before - place.files() == set()
    listed = ("--all", "--no-legend", "*memtool*")
    for verb in ("list-units", "list-unit-files"):
        assert place.control(verb, *listed).stdout == ""


def test_a_purge_after_use_leaves_the_files_of_before(place: Place) -> None:
    place.give_transcripts()
    before = place.files()
    place.install()
    assert place.start("ingest").returncode == 0
    assert place.start("day-rollup").returncode == 0
    assert place.memtool("config", "set", "jobs.deadline_s", "600").returncode == 0
    drop_in = f"{place.admin}/memtool-ingest.service.d/mine.conf"
    place.write(drop_in, "[Service]\nNice=5\n")
    done = place.setup("--remove")
    assert done.returncode == 0, done.stderr
    assert f"stays: {drop_in}" in done.stderr
    assert f"stays: {place.root}" in done.stderr
    done = place.setup("--remove", "--purge")
    assert done.returncode == 0, done.stderr
    left = place.files() - before
    own = f"{place.home}/.config/memtool"  # a person's: the system's purge leaves them, and says so
    if place.mode == "system":
        assert {path for path in left if not path.startswith(own)} <= {f"{place.home}/.config"}
        assert f"stays: {own}" in done.stderr
    else:
        assert left == set()
        assert "The memory and the settings are deleted." in done.stderr


def test_setting_up_again_changes_nothing_and_keeps_what_was_disabled(place: Place) -> None:
    place.install()
    place.control("disable", "--now", "memtool-compaction.timer")
    assert place.memtool("scheduler", "pause", "week-rollup").returncode == 0
    reloads = place.journal_of_manager().count("Reloading")
    said = place.install()
    assert "All files are up to date." in said
    assert "not enabled: memtool-compaction.timer" in said
    assert place.journal_of_manager().count("Reloading") == reloads
    assert place.states()["memtool-compaction.timer"] == "disabled"
    assert place.property("memtool-compaction.timer", "ActiveState") == "inactive"
    assert place.status("week-rollup")["pause"]


def test_no_enable_leaves_all_timers_off_and_says_how_to_enable_them(place: Place) -> None:
    said = place.install("--no-enable")
    assert place.states() == dict.fromkeys(TIMERS, "disabled")
    assert "to enable them: systemctl" in said


def test_removal_goes_on_over_masked_failed_and_broken_units(place: Place) -> None:
    before = place.files()
    place.install()
    place.control("mask", "--now", "memtool-week-rollup.timer", "memtool-month-rollup.service")
    place.control("mask", "--runtime", "memtool-year-rollup.timer")
    place.drop_in("memtool-ingest.service", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    place.drop_in("memtool-compaction.timer", "[Timer]\nOnCalendar=\nOnCalendar=nonsense\n")
    place.start("ingest")
    assert "memtool-ingest.service" in place.control("--failed", "--no-legend").stdout
    place.machine.run("rm", f"{place.units}/memtool-day-rollup.timer")
    done = place.setup("--remove", "--purge")
    assert done.returncode == 0, done.stderr
    assert place.files() - before == set()
    assert "memtool" not in place.control("--failed", "--no-legend").stdout
    for verb in ("list-units", "list-unit-files"):
        assert place.control(verb, "--all", "--no-legend", "*memtool*").stdout == ""


def test_what_cannot_be_removed_is_named_and_the_rest_goes(place: Place) -> None:
    place.install()
    page = (
        "/usr/local/share/man/man1"
        if place.mode == "system"
        else f"{place.home}/.local/share/man/man1"
    )
    place.machine.run("mount", "--bind", page, page)
    place.machine.run("mount", "-o", "remount,ro,bind", page)
    done = place.setup("--remove")
    assert done.returncode == 1
    assert f"{page}/memtool.1: read-only file system" in done.stderr
    assert place.machine.run("sh", "-c", f"ls {place.units}/memtool*").stdout == ""
    place.machine.run("umount", page)
    assert place.setup("--remove").returncode == 0


def test_in_a_terminal_it_asks_and_takes_in_what_is_there_as_the_person(place: Place) -> None:
    place.give_transcripts()
    who = "--system --run-as mira" if place.mode == "system" else "--user"
    command: tuple[str, ...] = ("script", "-qec", f"{PROGRAM} setup {who}", "/dev/null")
    if place.mode == "user":
        command = place.as_person(*command)
    done = place.machine.run(*command, stdin="y\ny\n")
    assert done.returncode == 0, done.stdout
    assert "Go on? [Y/n]" in done.stdout
    assert "Read" in done.stdout
    script = f"find {place.root} -not -user {place.person}"
    assert place.machine.run("sh", "-c", script).stdout == ""
    assert place.toc()
    assert place.memtool("scheduler", "apply", "--dry-run").stdout == "Nothing to change.\n"


# --- Whose memory it is ---------------------------------------------------------------------


def test_a_system_s_memory_is_given_to_another_user_only_by_name(system_place: Place) -> None:
    side = system_place
    side.install()
    side.take_in()
    noor = ("--run-as", "noor")
    refused = side.setup(*noor)
    assert refused.returncode == 1
    assert "belongs to mira" in refused.stderr
    assert "--run-as noor --take-over mira" in refused.stderr
    owner = ("stat", "-c", "%U", "/var/lib/memtool", "/var/lib/memtool/store/CURRENT")
    assert side.machine.run(*owner).stdout.split() == ["mira", "mira"]
    assert side.setup(*noor, "--take-over", "root").returncode == 1
    assert side.setup(*noor, "--take-over", "mira").returncode == 0
    assert side.machine.run(*owner).stdout.split() == ["noor", "noor"]
    assert side.start("ingest").returncode == 0
    assert side.property("memtool-ingest.service", "User") == "noor"
    history = (PROGRAM, "--store", "/var/lib/memtool", "scheduler", "history", "ingest", "--json")
    shown = side.machine.run("runuser", "-u", "noor", "--", "env", "HOME=/home/noor", *history)
    assert json.loads(shown.stdout)["runs"][0]["result"] == "done", shown.stderr


def test_who_has_the_system_s_timers_gets_no_second_set(system_place: Place) -> None:
    system_place.install()
    command = (PROGRAM, "setup", "--user", "--yes")
    refused = system_place.machine.run(*system_place.as_person(*command))
    assert refused.returncode == 1
    assert "kept by the system's timers" in refused.stderr
    assert system_place.machine.run("ls", f"{system_place.home}/.config").returncode != 0


def test_a_program_that_the_system_s_timers_cannot_see_is_refused(system_place: Place) -> None:
    side = system_place
    side.machine.run(
        "sh", "-c", "cp -a /opt/memtool /root/venv; ln -s /root/venv/bin/memtool /usr/bin/m"
    )
    sed = "sed -i '1s|/opt/memtool|/root/venv|' /root/venv/bin/memtool"
    side.machine.run("sh", "-c", sed)
    before = side.files()
    refused = side.setup("--run-as", "mira", program="/root/venv/bin/memtool")
    assert refused.returncode == 1
    assert "/root/venv" in refused.stderr
    assert "pip install agent-memtool" in refused.stderr
    assert side.files() == before


def test_a_program_that_the_person_may_not_run_is_refused(system_place: Place) -> None:
    side = system_place
    side.machine.run("chmod", "700", "/opt/memtool")
    refused = side.setup("--run-as", "mira")
    assert refused.returncode == 1
    assert f"{PROGRAM} does not run as mira" in refused.stderr
    assert side.machine.run("ls", "/var/lib/memtool").returncode != 0


def test_a_program_on_a_noexec_mount_is_refused(user_place: Place) -> None:
    side = user_place
    folder = "/opt/memtool/bin"
    script = f"mount --bind {folder} {folder} && mount -o remount,bind,noexec {folder}"
    assert side.machine.run("sh", "-c", script).returncode == 0
    command = (f"{folder}/python", "-m", "memtool", "setup", "--user", "--yes")
    refused = side.machine.run(*side.as_person(*command))
    assert refused.returncode == 1, refused.stderr
    assert f"{PROGRAM} does not run" in refused.stderr
    assert side.machine.run("ls", f"{side.home}/.config").returncode != 0


def test_without_a_manager_timers_wait_for_the_login_and_apply_adds_the_sandbox(
    user_place: Place,
) -> None:
    side = user_place
    side.machine.run("loginctl", "disable-linger", side.person)
    side.machine.run("systemctl", "stop", f"user@{PEOPLE[side.person]}.service")
    said = side.install()
    assert "they start when systemd runs" in said
    assert "The sandbox was not tried" in said
    assert f"loginctl enable-linger {side.person}" in said
    sandbox = f"{side.units}/memtool-.service.d/20-memtool-sandbox.conf"
    assert side.machine.run("test", "-e", sandbox).returncode != 0
    side.machine.run("loginctl", "enable-linger", side.person)
    wait_until(side.is_firing, "timers at login")
    assert side.memtool("scheduler", "apply").returncode == 0
    assert side.machine.run("test", "-e", sandbox).returncode == 0
    side.take_in()


@pytest.mark.parametrize("name", ["with space", "100%h", 'it\'s "quoted"', "c$HOME"])
def test_paths_with_signs_that_mean_something_to_systemd_work(user_place: Place, name: str) -> None:
    machine, home = user_place.machine, f"/srv/{name}"
    machine.run("systemctl", "stop", "user@2002.service")
    machine.run("mv", user_place.home, home)
    done = machine.run("sed", "-i", f"s|/home/noor|{home}|", "/etc/passwd")
    assert done.returncode == 0, done.stderr
    program = f"{home}/{name} env/bin/memtool"
    machine.run("cp", "-a", "/opt/memtool", f"{home}/{name} env")
    script = '#!/bin/sh\nexec "$(dirname "$0")/python" -m memtool "$@"\n'
    assert machine.run("tee", program, stdin=script).returncode == 0
    machine.run("systemctl", "start", "user@2002.service")
    place = Moved(machine, "user", place=home)
    wait_until(lambda: place.control("is-active", "timers.target").returncode == 0, "timers")
    done = place.setup(program=program)
    assert done.returncode == 0, done.stderr
    assert f"{name} env" in place.property("memtool-ingest.service", "ExecStart")
    place.take_in()
    assert place.runs("ingest")[-1]["result"] == "done"
    assert "unit files are not as" not in place.memtool("scheduler", "status").stdout
    assert place.setup("--remove", "--purge", program=program).returncode == 0


@dataclass(frozen=True)
class Moved(Place):
    """A person whose home has another name."""

    place: str = ""

    @property
    def home(self) -> str:
        """The person's home directory."""
        return self.place


# --- What today's install.sh installed --------------------------------------------------------


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout of the version whose install.sh wrote units by itself, with the wheels that it needs."""
    folder = tmp_path_factory.mktemp("old")
    archive = folder / "old.tar"
    git = ["git", "-C", str(REPOSITORY), "archive", "--output", str(archive), OLD_COMMIT]
    done = subprocess.run(git, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this clone has no commit {OLD_COMMIT}: the upgrade from it is NOT tried")
    (folder / "checkout").mkdir()
    subprocess.run(["tar", "-C", str(folder / "checkout"), "-xf", str(archive)], check=True)
    project = tomllib.loads((folder / "checkout/pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    pip = [sys.executable, "-m", "pip", "--python", PYTHON, "wheel", "--quiet", "--wheel-dir"]
    subprocess.run([*pip, str(folder / "wheels"), *needed], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder


@pytest.mark.parametrize("mode", ["system", "user"])
def test_an_installation_of_the_old_install_sh_is_taken_over(
    workshop: Workshop,
    program_image: Image,
    binds: Mapping[Path, str],
    old: Path,
    mode: str,
) -> None:
    with Machine(workshop, layers=program_image, binds={**binds, old: OLD}) as machine:
        side = Place(machine, mode)
        side.boot()
        who = ("--system", "--run-as", "mira") if mode == "system" else ("--user",)
        wheels = ("env", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={OLD}/wheels")
        command: tuple[str, ...] = (*wheels, f"{OLD}/checkout/install.sh", *who)
        if mode == "user":
            command = side.as_person(*command)
        done = machine.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        program = f"{side.prefix}/bin/memtool"
        side.take_in()
        apply = (program, "scheduler", "apply")
        settings = ("config", "set", "day_rollup.schedule", "*-*-* 05:00:00")
        assert machine.run(*side.as_person(program, *settings)).returncode == 0
        assert (
            machine.run(*side.as_person(program, "scheduler", "pause", "week-rollup")).returncode
            == 0
        )
        done = machine.run(*(apply if mode == "system" else side.as_person(*apply)))
        assert done.returncode == 0, done.stderr
        side.control("disable", "--now", "memtool-compaction.timer")
        events = json.loads(machine.run(*side.as_person(program, "stats", "--json")).stdout)[
            "events"
        ]

        said = side.install()
        assert "of an earlier version to remove" in said
        states = side.states()
        assert states.pop("memtool-compaction.timer") == "disabled"
        assert set(states.values()) == {"enabled"}
        assert "05:00:00" in side.property("memtool-day-rollup.timer", "TimersCalendar")
        assert side.status("week-rollup")["pause"]
        assert PROGRAM in side.property("memtool-ingest.service", "ExecStart")
        drop_ins = side.property("memtool-ingest.service", "DropInPaths")
        assert "10-run-as.conf" not in drop_ins
        assert "10-sandbox.conf" not in drop_ins
        assert side.start("ingest").returncode == 0
        # The ingest may read the same files again, and find more in them than an older one did.
        assert json.loads(side.memtool("stats", "--json").stdout)["events"] >= events
        done = side.setup("--remove", "--purge")
        assert done.returncode == 0, done.stderr
        found = machine.run("sh", "-c", f"find {side.units} {side.admin} -name '*memtool*'").stdout
        assert found == ""
