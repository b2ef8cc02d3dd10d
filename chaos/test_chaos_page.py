"""Every command of docs/chaos.md as somebody would type it, only shorter; and Ctrl-C in a run."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

PAGE = (Path(__file__).resolve().parents[1] / "docs/chaos.md").read_text()
SHORT = {"--duration": "5", "--histories": "1", "--seconds": "5"}
"""The shortest runs with faults."""
COMMAND_SECONDS = 100
"""About ten where nothing else runs; a machine that builds something needs a few times that."""
STATUS = {"--negative": 1}
"""A control must be found invalid."""


def shown():
    """The commands of the page, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def shortened(words):
    words = list(words)
    for option, value in SHORT.items():
        if option in words:
            words[words.index(option) + 1] = value
    return words


def program(words):
    modules = {"kvraft": ["-m", "kvraft"], "python": []}
    return [sys.executable, *modules[words[0]], *words[1:]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where they are typed: later ones use what earlier ones left."""
    return tmp_path_factory.mktemp("page")


def environment(proxies, folder):
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(temporary), "TOXIPROXY_URL": proxies.url}


def left_behind(folder):
    """Files in the temp folder, and processes that inherited it."""
    temporary = folder / "tmp"
    found = [each.name for each in temporary.iterdir()]
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            if f"TMPDIR={temporary}\0".encode() in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def test_the_page_shows_every_command():
    words = [each[1:3] for each in shown() if each[0] == "kvraft"]

    assert {tuple(each) for each in words} == {("chaos", "run"), ("chaos", "check")}
    assert [each[1:3] for each in shown() if each[0] == "python"] == [
        ["-m", "kvraft_chaos.campaign"]
    ]


@pytest.mark.parametrize("words", shown(), ids=lambda words: "-".join(words[1:5]))
def test_a_command_of_the_page_runs(words, proxies, folder):
    run = subprocess.run(
        program(shortened(words)),
        cwd=folder,
        env=environment(proxies, folder),
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    wanted = next((status for option, status in STATUS.items() if option in words), 0)

    assert run.returncode == wanted, run.stdout + run.stderr
    assert left_behind(folder) == []


def test_ctrl_c_heals_judges_and_leaves_nothing(proxies, tmp_path):
    out = tmp_path / "run"
    words = ["--workload", "register", "--faults", "isolate-leader,kill", "--duration", "60"]
    with subprocess.Popen(
        program(["kvraft", "chaos", "run", *words, "--out", str(out), "--json"]),
        env=environment(proxies, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr:
            if "strike" in line:
                break
        process.send_signal(signal.SIGINT)
        verdict, told = process.communicate(timeout=COMMAND_SECONDS)

    assert process.returncode == 0, told
    assert json.loads(verdict)["verdict"] == "valid"
    marks = [json.loads(line) for line in (out / "faults.jsonl").read_text().splitlines()]
    struck = {mark["stroke"] for mark in marks if mark["type"] == "strike"}
    assert struck == {mark["stroke"] for mark in marks if mark["type"] == "heal"}
    seconds = (marks[-1]["time_ns"] - marks[0]["time_ns"]) / 1e9
    assert seconds < 55, "it played its whole plan"
    assert left_behind(tmp_path) == []
