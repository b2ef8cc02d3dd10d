"""drill: what is there to see, and what is missing."""

import json
import os
import pty
import sys
import termios

import pytest
from typer.testing import CliRunner

from kvraft.cli.app import app
from kvraft_chaos.drills.keyboard import keyboard

DRILLS = {
    "lost-update",
    "last-seat",
    "paused-worker",
    "retry-storm",
    "deadlock",
    "ambiguous-timeout",
    "split-brain",
    "hold-over-slow-call",
}


def kvraft(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_list_names_every_drill_with_its_question():
    lines = kvraft("drill", "--list").stdout.splitlines()

    assert {line.split()[0] for line in lines} == DRILLS
    assert all(line.endswith("?") for line in lines)
    assert "last-seat            Two buyers read 'one seat left'." in "\n".join(lines)


@pytest.mark.parametrize(
    "arguments", [("drill", "--list", "--json"), ("-o", "json", "drill", "--list")]
)
def test_list_for_programs(arguments):
    listed = json.loads(kvraft(*arguments).stdout)

    assert {each["drill"] for each in listed} == DRILLS


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("drill",), "give NAME, or --list: lost-update, last-seat"),
        (("drill", "nothing"), "there is no drill 'nothing': lost-update, last-seat"),
    ],
)
def test_what_is_no_drill(arguments, text):
    result = kvraft(*arguments)

    assert result.exit_code == 1
    assert text in result.stderr


def test_a_missing_extra_is_named(monkeypatch):
    for name in [each for each in sys.modules if each.startswith("kvraft_chaos")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "toxiproxy", None)
    monkeypatch.setitem(sys.modules, "toxiproxy.api", None)
    result = kvraft("drill", "--list")

    assert result.exit_code == 1
    assert result.stderr == (
        "kvraft: error: drills need toxiproxy.api: pip install 'kvraft[chaos]'\n"
    )


def test_one_key_is_enough_and_the_terminal_is_as_before():
    screen, keys = pty.openpty()
    before = termios.tcgetattr(keys)
    with os.fdopen(keys) as typed:
        with keyboard(typed) as wait:
            os.write(screen, b"x")
            wait()
            assert termios.tcgetattr(typed) != before
        assert termios.tcgetattr(typed) == before
    os.close(screen)
