"""Kinds of faults, so that a picture needs few colours. Each has one for light and one for dark."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    light: str
    dark: str
    words: tuple[str, ...] = ()
    """A fault whose name contains one of these belongs to it; the first family that fits has it."""


# Hues that stay apart for people with any common colour blindness, at different lightness; none is
# that of an outcome of an operation. A fault is always labelled too.
FAMILIES = (
    Family("disk", "#7d7a12", "#c9c35a", ("disk", "fsync")),
    Family("clock", "#b04f90", "#e39ac9", ("clock", "time")),
    Family("process", "#8c5636", "#d3a07c", ("kill", "pause", "stop", "restart", "crash")),
    Family(
        *("link", "#127f83", "#57c2c4"),
        ("delay", "jitter", "latency", "bandwidth", "slic", "reset", "half-open", "loss", "slow"),
    ),
    Family(
        *("partition", "#6d55b0", "#a995e8"),
        ("isolate", "halves", "one-way", "bridge", "ring", "connect", "flap", "swizzle"),
    ),
    Family("duty", "#5c6c7c", "#9db0c2", ("transfer", "snapshot", "rejoin")),
)
OTHER = Family("other", "#666666", "#a8a8a8")


def family_of(fault: str) -> str:
    """The name of the family of a fault, by the words in its own name."""
    return next((each.name for each in FAMILIES if any(w in fault for w in each.words)), OTHER.name)
