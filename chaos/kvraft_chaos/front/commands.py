"""Faults by hand: one command a line, from a keyboard or a program."""

import json
import os
import select
import threading
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any

from kvraft_chaos.front.faults import FAULTS
from kvraft_chaos.front.front import Front
from kvraft_chaos.nemesis.fault import Fault

HELP = "FAULT [NODE] [NAME=VALUE ...] | heal [NUMBER] | list | help | quit"
BEAT_SECONDS = 0.3
"""As `Flapping.beat_ms`; also between two looks whether the end has come."""


class CommandError(Exception):
    """A line that says nothing that can be done."""


class Hand:
    """Strikes and heals at once; strokes are numbered."""

    def __init__(self, front: Front, say: Callable[[str], None]) -> None:
        self._front, self._say = front, say
        self._numbers = count(1)
        self._struck: dict[int, Fault] = {}
        self._beats: dict[int, int] = {}
        self._chance = Random()

    def obey(self, line: str) -> bool:
        """Do one line; False: it was the last one. CommandError says what is wrong with it."""
        match line.split():
            case ["quit" | "exit"]:
                return False
            case ["help"]:
                self._say(f"{HELP}; faults: {', '.join(FAULTS)}")
            case ["list"]:
                self._list()
            case ["heal", *numbers]:
                self._heal(numbers or [str(each) for each in self._struck])
            case [name, *words]:
                self._strike(name, words)
        return True

    def _list(self) -> None:
        for number, fault in self._struck.items():
            self._say(f"{number}: {fault.name} of {' '.join(fault.struck)}")

    def beat(self) -> None:
        """Let faults that come and go do so."""
        for number, fault in self._struck.items():
            if fault.beat_ms is not None:
                self._beats[number] += 1
                fault.beat(self._front, self._beats[number])

    def _strike(self, name: str, words: list[str]) -> None:
        if name not in FAULTS:
            raise CommandError(f"there is no {name!r}: {', '.join(FAULTS)}, heal, list, help, quit")
        fault = FAULTS[name]()
        arguments = self._arguments(fault, words)
        number = next(self._numbers)
        self._struck[number], self._beats[number] = fault, 0
        self._say(f"{number}: {name}: {fault.strike(self._front, arguments)}")

    def _heal(self, numbers: list[str]) -> None:
        for each in numbers:
            if not each.isdigit() or int(each) not in self._struck:
                raise CommandError(f"there is no stroke {each}")
            fault = self._struck.pop(int(each))
            fault.heal(self._front)
            self._say(f"{each}: {fault.name} is healed")

    def _arguments(self, fault: Fault, words: list[str]) -> dict[str, Any]:
        """What is not said is drawn."""
        given = dict(fault.draw(self._chance, self._front.names))
        for word in words:
            name, equals, text = word.partition("=")
            if not equals:
                name, text = "node", word
            if name not in fault.takes:
                raise CommandError(f"{fault.name} takes no {name!r}: {', '.join(fault.takes)}")
            given[name] = int(text) if text.lstrip("-").isdigit() else text
            problem = fault.takes[name].problem(given[name], self._front.names)
            if problem is not None:
                raise CommandError(f"{name}: {problem}, not {json.dumps(given[name])}")
        return given


def obey_lines(
    front: Front, stop: threading.Event, say: Callable[[str], None], source: int
) -> None:
    """Until `quit`, the end of the input, or `stop`. `source` is a file descriptor."""
    hand = Hand(front, say)
    say(HELP)
    for line in _lines(source, stop):
        try:
            if line is None:
                hand.beat()
            elif not hand.obey(line):
                return
        except CommandError as error:
            say(str(error))


def _lines(source: int, stop: threading.Event) -> Iterator[str | None]:
    """Yield each line as it comes, and None while there is none."""
    rest = b""
    while not stop.is_set():
        ready, _, _ = select.select([source], [], [], BEAT_SECONDS)
        if not ready:
            yield None
            continue
        data = os.read(source, 4_096)
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
