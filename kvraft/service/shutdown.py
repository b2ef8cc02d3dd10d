"""What the streams of a node that stops end with."""

from kvraft.core.errors import Outcome, Reason
from kvraft.service.errors import CallError


def shutting_down(name: str, leader: str | None) -> CallError:
    """Return the error that ends streams when their node stops: go elsewhere."""
    text = f"{name} is shutting down"
    return CallError(Reason.SHUTTING_DOWN, Outcome.NOT_APPLIED, text, leader=leader)
