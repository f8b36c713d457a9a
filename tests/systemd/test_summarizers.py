"""Summarizers that need more than a job may have: refused before `scheduler apply`, at work after it, and no wider."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.llm_server import LLMServer
from tests.systemd.conftest import install
from tests.systemd.sides import CHECKOUT, Side

pytestmark = pytest.mark.slow

DAY = "memtool-day-rollup.service"
CONFIG, UNAVAILABLE = 78, 69
KEY = "sk-that-nobody-guesses"
FEW = "[budget]\ncalls_per_run = 3\n"  # for the sake of time
NEEDED = ["write", "translate", "connect"]
SEALED = ["write elsewhere", "write home", "write beside"]
# A model that is a program. Where it is refused what it needs, it says what was; else it writes that down, and answers.
ASK = f"""#!/usr/bin/env ask-python
import json, mmap, os, socket, sys
sys.path.insert(0, "{CHECKOUT}")
from llm_server import answer_to

def write(path):
    with open(os.path.expanduser(path), "a") as file:
        file.write("x")

tried = {{
    "write": lambda: write("~/.a sk/x"),
    "translate": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "connect": lambda: socket.create_connection(("127.0.0.1", PORT), timeout=5).close(),
    "write elsewhere": lambda: write("~/.other/x"),
    "write home": lambda: write("~/x"),
    "write beside": lambda: write("~/tools/bin/x"),
}}
refused = []
for name, act in tried.items():
    try:
        act()
    except OSError:
        refused.append(name)
if set(refused) & {set(NEEDED)!r}:
    print("refused:", ", ".join(refused), file=sys.stderr)
    sys.exit({UNAVAILABLE})
report = {{"refused": refused, "cwd": os.getcwd(), "within": os.environ["MEMTOOL_WITHIN"]}}
with open(os.path.expanduser("~/.a sk/report"), "w") as file:
    json.dump(report, file)
print(answer_to(sys.stdin.read()))
"""


@pytest.fixture
def model() -> Iterator[LLMServer]:
    """Return a model on loopback, which the machines share with the host."""
    with LLMServer(key=KEY) as server:
        yield server


def settings(side: Side, text: str) -> None:
    """Let this be the person's configuration."""
    side.write(f"{side.home}/.config/memtool/config.toml", text + FEW)


def by_command(command: str) -> str:
    return f'[summarizer]\nname = "command"\ncommand = "{command}"\ncommand_writes = "~/.a sk"\n'


def apply(side: Side) -> None:
    """Apply the settings as one does: as oneself, or as root, with the program on PATH."""
    path = f"PATH={side.home}/tools/bin:/usr/local/bin:/usr/bin:/bin"
    command = ("env", path, f"{side.prefix}/bin/memtool", "scheduler", "apply")
    done = side.machine.run(*(command if side.mode == "system" else side.as_person(*command)))
    assert done.returncode == 0, done.stdout + done.stderr


def give_program(side: Side, port: int) -> None:
    """Put the program where only the person has it, with an interpreter of its own; and a copy where all see it."""
    text = ASK.replace("PORT", str(port))
    side.write(f"{side.home}/tools/bin/ask", text)
    side.write("/opt/ask", text.replace("/usr/bin/env ask-python", "/usr/bin/python3"))
    script = (
        "cd ~/tools/bin && chmod 755 ask && ln -s /usr/bin/python3 ask-python && "
        'mkdir -p "$HOME/.a sk" ~/.other'
    )
    done = side.machine.run(*side.as_person("sh", "-ec", script))
    assert done.returncode == 0, done.stderr
    side.machine.run("chmod", "755", "/opt/ask")


def end_of_run(side: Side) -> tuple[int, str]:
    """Start the rollup, and return how it ended and why."""
    side.start("day-rollup")
    run = side.runs("day-rollup")[-1]
    return run["exit_code"], str(run.get("error") or "")


def test_a_program_may_do_what_it_needs_after_apply_and_no_more(
    side: Side, model: LLMServer
) -> None:
    side.take_in()
    side.drop_in(DAY, "[Service]\nRestart=no\n")
    give_program(side, int(model.url.rpartition(":")[2]))

    settings(side, by_command("/opt/ask"))
    code, error = end_of_run(side)
    assert code == UNAVAILABLE
    assert f"refused: {', '.join(NEEDED + SEALED)}" in error

    settings(side, by_command("ask"))
    code, error = end_of_run(side)
    assert (code, error) == (CONFIG, "summarizer.command: ask is not installed")

    apply(side)
    assert end_of_run(side) == (0, "")
    report = json.loads(side.machine.run("cat", f"{side.home}/.a sk/report").stdout)
    where = f"{side.root}/memtool-summarizer"
    assert report == {"refused": SEALED, "cwd": where, "within": "summarizer"}
    assert side.machine.run("stat", "-c", "%a %U", where).stdout == f"700 {side.person}\n"
    assert (side.runs("day-rollup")[-1]["calls"], side.runs("day-rollup")[-1]["nodes"]) == (3, 3)

    settings(side, "")
    apply(side)
    assert side.machine.run("find", side.admin, "-name", "60-memtool-*").stdout == ""


def test_a_model_behind_a_key_is_asked_with_the_one_that_systemd_hands_over(
    system: Side, model: LLMServer
) -> None:
    assert "pip install 'openai" in install(system, "--with", "openai")
    system.take_in()
    asked = f'name = "openai"\nmodel = "m"\nendpoint = "{model.openai_url}"\n'
    settings(system, f"[summarizer]\n{asked}")
    apply(system)
    assert end_of_run(system)[0] == CONFIG
    assert {one.headers.get("authorization") for one in model.requests} & {f"Bearer {KEY}"} == set()
    system.write("/etc/credstore/memtool.llm-key", f"{KEY}\n")
    system.machine.run("chmod", "600", "/etc/credstore/memtool.llm-key")
    assert end_of_run(system) == (0, "")
    assert model.requests[-1].headers["authorization"] == f"Bearer {KEY}"
