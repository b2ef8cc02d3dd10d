"""The processes of a store under test: where they listen, which they are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of one store, in the same order each time."""

    endpoints: list[str]
    pids: list[int]
