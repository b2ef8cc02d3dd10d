"""Every command and example that README and docs show, as a newcomer would type them."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
CONDITIONS = (ROOT / "docs/conditions.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
COMMANDS = "locks", "contention", "bench"
"""That the page on operations shows with options."""
DEFAULT_ENDPOINTS = "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str, program: str) -> list[list[str]]:
    lines = [line for block in blocks(text, "console") for line in block.splitlines()]
    return [
        shlex.split(line.removeprefix("$ "), comments=True)
        for line in lines
        if line.startswith(f"$ {program}")
    ]


def run_shell(words, cluster, cwd):
    """Run a command; a watch, which never ends by itself, until it stands and then Ctrl-C."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        [sys.executable, "-m", "kvraft", *words[1:]], cwd=cwd,
        env={**os.environ, "KVRAFT_ENDPOINTS": cluster.endpoints, "PATH": programs},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        if words[1] == "watch":
            assert process.stderr.readline().startswith("watching from revision ")
            process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert process.returncode == 0, (words, out, error)
    return out


def run_python(code, cluster):
    assert DEFAULT_ENDPOINTS in code
    code = code.replace(DEFAULT_ENDPOINTS, cluster.endpoints)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_shell_examples_run(cluster, tmp_path):
    shown = commands(README, "kvraft")
    words = {each[1] for each in shown}

    assert words >= {"put", "update", "txn", "cas", "invariant", "watch", "status", "snapshot"}
    assert words >= {"lock", "guard", "locks", "contention"}
    for each in shown:
        run_shell(each, cluster, tmp_path)


def test_the_python_examples_run(cluster, tmp_path):
    first, locks = blocks(README, "python")

    assert run_python(locks, cluster).splitlines() == [
        "refused: STALE_FENCE",
        "refused: FENCE_REQUIRED",
    ]
    for each in commands(README, "kvraft lock "):  # under the guard that stands now
        run_shell(each, cluster, tmp_path)
    assert run_python(first, cluster).splitlines() == [
        "not applied: it is 500",
        "sold",
        "put free",
        "put alice",
    ]


def test_the_examples_of_the_page_on_conditions_run(cluster, tmp_path):
    put, update, free, txn = commands(CONDITIONS, "kvraft")
    for each in (put, update, free, txn):
        printed = run_shell(each, cluster, tmp_path)
    assert "sold = 1 (version 1, " in printed

    outputs = [run_python(code, cluster) for code in blocks(CONDITIONS, "python")]
    assert outputs == ["clause 0 is false: it is 500\n", "True 2\n"]


def test_the_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {words[1] for words in commands(README, "make")}
    shown |= set(re.findall(r"`make ([a-z]+)`", README))

    assert shown >= {"up", "down", "test", "bench"}
    assert shown <= targets


@pytest.mark.parametrize("words", commands(README, r".venv/bin/"), ids=" ".join)
def test_the_longer_commands_are_understood(words):
    """They run in full in `make test`; here, that the flags that are shown exist."""
    modules = {"pytest": ["-m", "pytest"], "kvraft": ["-m", "kvraft"], "python": []}
    program = [sys.executable, *modules[Path(words[0]).name]]
    arguments = words[1:]
    check = ["--collect-only", "-q"] if "pytest" in words[0] else ["--help"]
    run = subprocess.run(
        [*program, *arguments, *check], cwd=ROOT, check=False, capture_output=True, text=True
    )

    assert run.returncode == 0, run.stdout + run.stderr
    for word in arguments:
        if word.startswith("--"):
            assert word in run.stdout


def help_of(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "200"},
    ).stdout  # fmt: skip


def test_operations_names_only_options_that_exist():
    shown = set(re.findall(r"--[a-z][a-z-]+", OPERATIONS))
    text = help_of("-c", "from kvraft.config import parser; print(parser().format_help())")
    text += "".join(help_of("-m", "kvraft", each, "--help") for each in COMMANDS)

    assert shown
    assert {option for option in shown if option not in text} == set()


def test_what_operations_shows_of_locks_runs(cluster, tmp_path):
    section = OPERATIONS.split("## Who holds up whom")[1]
    (block,) = blocks(section, "sh")
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        run_shell(words, cluster, tmp_path)  # no terminal: `contention` ends by itself


def test_the_measurements_that_operations_shows_run(cluster, tmp_path):
    section = OPERATIONS.split("## How fast it is from here")[1]
    block = blocks(section, "sh")[0]
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        run_shell([*words, "--seconds", "0.1", "--callers", "2"], cluster, tmp_path)

    assert (tmp_path / "figures.json").exists()


def test_the_counters_that_operations_names_exist(cluster, tmp_path):
    told = json.loads(run_shell(["kvraft", "status", "-o", "json"], cluster, tmp_path))
    counters = set(told["nodes"][0]["counters"])
    table = re.findall(r"^\| (`[a-z_`, ]+`) \|", OPERATIONS.split("| counter |")[1], re.MULTILINE)
    shown = {name for row in table for name in re.findall(r"`([a-z_]+)`", row)}

    assert shown >= {"lock_grants", "lock_wait_ms", "fsyncs"}
    assert shown - counters == set()
