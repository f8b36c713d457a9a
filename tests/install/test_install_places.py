"""What install.sh puts where, and what it leaves alone. Everything goes below DESTDIR: no systemd is asked or told."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from memtool.scheduler.jobs import JOBS

REPOSITORY = Path(__file__).resolve().parents[2]
USAGE = 2
UNITS = "usr/local/lib/systemd/system"
ADMIN = "etc/systemd/system"
# In the place of pip, which would download: an environment whose Python is the one of the tests.
FAKE_PROGRAM = f"""
fill_slot() {{
  mkdir -p "$1/bin"
  printf '#!/bin/sh\\nexec {shlex.quote(sys.executable)} "$@"\\n' >"$1/bin/python"
  echo '#!/bin/sh' >"$1/bin/memtool"
  chmod 755 "$1/bin"/*
  installed_stamp "$1" >"$1/.memtool-stamp"
}}
"""

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an empty DESTDIR."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def install(root: Path, *arguments: str, env: dict[str, str] | None = None, more: str = "") -> Done:
    """Run install.sh of this checkout into DESTDIR, without pip."""
    words = " ".join(map(shlex.quote, arguments))
    script = f". ./install.sh\n{FAKE_PROGRAM}{more}\nmain {words}"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "DESTDIR": str(root), "PYTHONPATH": str(REPOSITORY), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def files(root: Path) -> dict[str, bytes]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def times(root: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in root.rglob("*") if not path.is_dir()}


def own_home(root: Path, home: Path) -> Path:
    return root / str(home).lstrip("/")


def test_the_system_s_units_go_where_an_administrator_s_do_not(root: Path) -> None:
    done = install(root, "--system")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = {path.name for path in (root / UNITS).iterdir()}
    assert found == {name for job in JOBS for name in (job.unit, job.timer)}
    assert not (root / "etc").exists()


def test_a_person_s_units_go_to_their_own_folder(root: Path, home: Path) -> None:
    assert install(root, "--user").returncode == 0
    units = own_home(root, home) / ".config/systemd/user"
    found = {path.name for path in units.iterdir()}
    assert found == {name for job in JOBS for name in (job.unit, job.timer)}
    state = own_home(root, home) / ".local/state/memtool"
    assert state.stat().st_mode & 0o777 == 0o700


def test_shipped_units_are_installed_to_the_byte(root: Path) -> None:
    install(root, "--system")
    for job in JOBS:
        shipped = REPOSITORY / "systemd" / "system" / job.unit
        assert (root / UNITS / job.unit).read_bytes() == shipped.read_bytes()


@pytest.mark.parametrize("mode", ["--system", "--user"])
def test_another_prefix_is_what_the_units_run(root: Path, home: Path, mode: str) -> None:
    assert install(root, mode, "--prefix", "/opt/m").returncode == 0
    units = root / UNITS if mode == "--system" else own_home(root, home) / ".config/systemd/user"
    for job in JOBS:
        text = (units / job.unit).read_text(encoding="utf-8")
        assert f"\nExecStart=/opt/m/bin/memtool {' '.join(job.command)}\n" in text
    link = root / "opt/m/bin/memtool"
    assert link.readlink() == Path("/opt/m/lib/memtool/a/bin/memtool")


def test_with_the_prefix_usr_the_units_are_the_distribution_s(root: Path) -> None:
    install(root, "--system", "--prefix=/usr")
    assert (root / "usr/lib/systemd/system/memtool-ingest.timer").exists()


SHARED = {
    "bash-completion/completions/memtool": "completions/memtool.bash",
    "zsh/site-functions/_memtool": "completions/_memtool",
    "fish/vendor_completions.d/memtool.fish": "completions/memtool.fish",
    "man/man1/memtool.1": "man/memtool.1",
}


def same(installed: Path, shipped: str) -> bool:
    assert installed.stat().st_mode & 0o777 == 0o644
    return installed.read_bytes() == (REPOSITORY / shipped).read_bytes()


def test_the_system_s_shells_and_man_find_what_is_theirs(root: Path) -> None:
    assert install(root, "--system").returncode == 0
    assert all(same(root / "usr/local/share" / to, shipped) for to, shipped in SHARED.items())


def test_with_the_prefix_usr_they_are_the_distribution_s(root: Path) -> None:
    install(root, "--system", "--prefix=/usr")
    names = {Path(name).name for name in files(root) if name.startswith("usr/share/")}
    assert names == {Path(name).name for name in SHARED}
    assert {name for name in files(root) if name.startswith("usr/local/")} == set()


def test_with_another_prefix_shells_still_find_their_completions(root: Path) -> None:
    install(root, "--system", "--prefix", "/opt/m")
    assert (root / "opt/m/share/man/man1/memtool.1").exists()
    assert (root / "usr/local/share/zsh/site-functions/_memtool").exists()


def test_a_person_s_shells_and_man_find_what_is_theirs(root: Path, home: Path) -> None:
    assert install(root, "--user").returncode == 0
    share = own_home(root, home) / ".local/share"
    for to, shipped in SHARED.items():
        if not to.startswith("fish/"):
            assert same(share / to, shipped)
    assert (own_home(root, home) / ".config/fish/completions/memtool.fish").exists()


def test_a_person_s_own_directories_are_heeded(root: Path) -> None:
    own = {"XDG_DATA_HOME": "/data of mine", "XDG_CONFIG_HOME": "/config of mine"}
    assert install(root, "--user", env=own).returncode == 0
    assert (root / "data of mine/bash-completion/completions/memtool").exists()
    assert (root / "config of mine/fish/completions/memtool.fish").exists()
    assert install(root, "--user", "--uninstall", "--purge", env=own).returncode == 0
    assert files(root) == {}


def test_whoever_uses_zsh_is_told_what_it_needs_until_it_is_there(home: Path) -> None:
    script = ". ./install.sh\nmode=user DESTDIR=''; plan; say_zsh"

    def told(shell: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=REPOSITORY,
            env={**os.environ, "SHELL": shell},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=True,
        )
        return done.stderr

    assert told("/bin/bash") == ""
    line = f"fpath=({home}/.local/share/zsh/site-functions $fpath)"
    assert line in told("/usr/bin/zsh")
    (home / ".zshrc").write_text(f"{line}\ncompinit\n", encoding="utf-8")
    assert told("/usr/bin/zsh") == ""


def test_installing_again_touches_nothing(root: Path) -> None:
    install(root, "--system")
    before = times(root)
    assert install(root, "--system").returncode == 0
    assert times(root) == before


def test_an_upgrade_makes_the_new_program_beside_the_old_one(root: Path) -> None:
    install(root, "--system")
    lib, link = root / "usr/local/lib/memtool", root / "usr/local/bin/memtool"
    (lib / "a/.memtool-stamp").write_text("of another version\n", encoding="utf-8")
    assert install(root, "--system").returncode == 0
    assert link.readlink() == Path("/usr/local/lib/memtool/b/bin/memtool")
    assert (lib / "a/bin/memtool").exists()  # a job may be running from it
    (lib / "b/.memtool-stamp").write_text("of another version\n", encoding="utf-8")
    assert install(root, "--system").returncode == 0
    assert link.readlink() == Path("/usr/local/lib/memtool/a/bin/memtool")


def test_a_failed_upgrade_leaves_the_old_program_in_use(root: Path) -> None:
    install(root, "--system")
    lib, link = root / "usr/local/lib/memtool", root / "usr/local/bin/memtool"
    (lib / "a/.memtool-stamp").write_text("of another version\n", encoding="utf-8")
    done = install(root, "--system", more="fill_slot() { mkdir -p $1; die 'no network'; }")
    assert done.returncode == 1
    assert link.readlink() == Path("/usr/local/lib/memtool/a/bin/memtool")
    assert (lib / "a/bin/memtool").exists()


def test_an_upgrade_keeps_schedules_and_other_people_s_changes(root: Path) -> None:
    install(root, "--system")
    kept = [
        root / ADMIN / "memtool-day-rollup.timer.d" / name
        for name in ("50-memtool.conf", "override.conf")
    ]
    kept[0].parent.mkdir(parents=True)
    for path in kept:
        path.write_text("[Timer]\nOnCalendar=\nOnCalendar=05:00\n", encoding="utf-8")
    (root / UNITS / "memtool-day-rollup.timer").write_text("[Timer]\n", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in kept}
    assert install(root, "--system").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert "Persistent" in (root / UNITS / "memtool-day-rollup.timer").read_text(encoding="utf-8")


def extras(root: Path) -> str:
    """Return what the program in use was installed with."""
    slot = root / str((root / "usr/local/bin/memtool").readlink().parents[1]).lstrip("/")
    return (slot / ".memtool-stamp").read_text(encoding="utf-8").splitlines()[-1]


def test_extras_are_kept_by_an_upgrade_and_changed_on_request(root: Path) -> None:
    link = root / "usr/local/bin/memtool"
    assert install(root, "--system").returncode == 0
    assert extras(root) == "with "
    assert "with anthropic,openai" in install(root, "--system", "--with", "openai,anthropic").stderr
    assert (extras(root), link.readlink().parts[-3]) == ("with anthropic,openai", "b")
    before = times(root)
    for again in ([], ["--with=anthropic,openai,openai"]):
        assert install(root, "--system", *again).returncode == 0
        assert times(root) == before
    stamp = root / "usr/local/lib/memtool/b/.memtool-stamp"
    text = stamp.read_text(encoding="utf-8")
    stamp.write_text(text.replace("  -", " of another version  -"), encoding="utf-8")
    assert install(root, "--system").returncode == 0
    assert (extras(root), link.readlink().parts[-3]) == ("with anthropic,openai", "a")
    assert install(root, "--system", "--with", "none").returncode == 0
    assert extras(root) == "with "


def test_pip_is_asked_for_the_extras(tmp_path: Path) -> None:
    slot, said, python = tmp_path / "slot", tmp_path / "said", tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$@" >>{said}\nmkdir -p {slot}/bin\ncp -u "$0" {slot}/bin/python || :\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    script = f". ./install.sh\ndest='' extras=openai\nfill_slot {slot} {python}"
    subprocess.run(["bash", "-ec", script], cwd=REPOSITORY, check=True, timeout=60)
    calls = said.read_text(encoding="utf-8").splitlines()
    assert f"-m pip install -q {slot}/source[openai]" in calls


def test_uninstalling_leaves_the_memory_and_what_others_have_made(root: Path) -> None:
    install(root, "--system")
    memory = root / "var/lib/memtool/FORMAT"
    ours = root / ADMIN / "memtool-ingest.timer.d/50-memtool.conf"
    theirs = root / ADMIN / "memtool-ingest.timer.d/override.conf"
    for path in (memory, ours, theirs):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    done = install(root, "--system", "--uninstall")
    assert done.returncode == 0, done.stderr
    assert set(files(root)) == {str(path.relative_to(root)) for path in (memory, theirs)}
    assert str(theirs.parent) in done.stderr
    assert str(memory.parent) in done.stderr


@pytest.mark.parametrize("mode", ["--system", "--user"])
def test_purging_leaves_nothing_at_all(root: Path, home: Path, mode: str) -> None:
    install(root, mode)
    config = {"--system": root / "etc/memtool", "--user": own_home(root, home) / ".config/memtool"}
    config[mode].mkdir(parents=True)
    (config[mode] / "config.toml").touch()
    assert install(root, mode, "--uninstall", "--purge").returncode == 0
    assert files(root) == {}
    assert not config[mode].exists()


def test_uninstalling_what_is_not_there_is_no_failure(root: Path) -> None:
    assert install(root, "--system", "--uninstall").returncode == 0


def test_a_program_of_somebody_else_is_left_alone(root: Path) -> None:
    other = root / "usr/local/bin/memtool"
    other.parent.mkdir(parents=True)
    other.write_text("mine", encoding="utf-8")
    done = install(root, "--system")
    assert done.returncode == 1
    assert "left alone" in done.stderr
    assert install(root, "--system", "--uninstall").returncode == 0
    assert other.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--user", "--system"], "exclude"),
        (["--run-as", "mira"], "goes with --system"),
        (["--system", "--run-as"], "needs a value"),
        (["--system", "--run-as", "nobody-is-called-so"], "no user named"),
        (["--system", "--prefix", "/home/mira"], "see no home"),
        (["--prefix", "relative"], "absolute"),
        (["--prefix", "/a b"], "plain letters"),
        (["--purge"], "--uninstall"),
        (["--with", "opneai"], 'knows no "opneai", only: openai, anthropic, none'),
        (["--with", ",openai"], 'knows no ""'),
        (["--with"], "needs a value"),
        (["--with=none", "--uninstall"], "--with is for installing"),
        (["--uninstall", "--no-enable"], "installing"),
        (["--uninstall", "--demo"], "stands alone"),
        (["--colour"], "unknown option"),
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(
    root: Path, arguments: list[str], says: str
) -> None:
    done = install(root, *arguments)
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert says in done.stderr
    assert list(root.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="asks what root has to say")
def test_root_is_asked_for_whom() -> None:
    done = subprocess.run(
        [str(REPOSITORY / "install.sh")],
        env={**os.environ, "SUDO_USER": "mira"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == USAGE
    assert "--system --run-as mira" in done.stderr


def test_a_python_that_the_timers_cannot_reach_is_refused(root: Path, tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\necho /home/mira/.pyenv/bin/python3.12\n", encoding="utf-8")
    fake.chmod(0o755)
    more = f"find_python() {{ echo {shlex.quote(str(fake))}; }}"
    done = install(root, "--system", more=more)
    assert done.returncode == 1
    assert "see no home" in done.stderr
    assert files(root) == {}


CRONTAB = """\
*/15 * * * * {free} {program} ingest
0 1 * * * {free} {program} rollup day
0 2 * * Sun {free} {program} rollup week
0 3 1 * * {free} {program} rollup month
30 3 1 1 * {free} {program} rollup year
0 4 * * Sun {free} {program} compact
"""


def test_the_crontab_is_the_job_table_and_looks_for_pauses(root: Path) -> None:
    done = install(root, "--user", "--prefix", "/opt/m", more="install_timers() { say_crontab; }")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(JOBS)
    for job, line, wanted in zip(JOBS, lines, CRONTAB.splitlines(), strict=True):
        times_of_day, _, rest = wanted.partition(" {free}")
        assert line.startswith(f"{times_of_day} [ -e ")
        assert line.endswith(rest.format(program='"/opt/m/bin/memtool"'))
        assert '/pause/all" ] || [ -e "' in line
        assert f'/pause/{job.name}" ] || ' in line


def test_a_line_of_the_crontab_keeps_to_a_pause(root: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = tmp_path / "opt/bin/memtool"
    more = f"""install_timers() {{ state={shlex.quote(str(tmp_path / "state"))}; say_crontab; }}"""
    lines = install(root, "--user", f"--prefix={tmp_path}/opt", more=more).stdout.splitlines()
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$@" >>{shlex.quote(str(said))}\n', encoding="utf-8")
    program.chmod(0o755)
    flags = tmp_path / "state/pause"
    flags.mkdir(parents=True)
    (flags / "day-rollup").touch()
    for line in lines:
        subprocess.run(["sh", "-c", line.split(" ", 5)[5]], check=False, timeout=60)
    ran = said.read_text(encoding="utf-8").splitlines()
    assert ran == [" ".join(job.command) for job in JOBS if job.name != "day-rollup"]
