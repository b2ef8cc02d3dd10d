"""Guards around PySyncObj that are turned off: one by one, and where two layers hold, both."""

import ast
import inspect

from kvraft.consensus.switches import Switches
from kvraft_chaos.simulation.mutants.registry import Mutant, register
from kvraft_chaos.simulation.schedules import SCHEDULES

TOGETHER = {
    "link_epochs+ask_again": (
        "a_probe_never_asked_again",
        "What was awaited from a broken link is neither dropped nor asked for again.",
    ),
    "rejoin_silence+disk_identity": (
        "rejoined_empty_node_votes",
        "An empty disk under a known name votes, acknowledges and echoes at once.",
    ),
}


def _told() -> dict[str, str]:
    """What the source says of each switch."""
    (described,) = ast.parse(inspect.getsource(Switches)).body
    assert isinstance(described, ast.ClassDef)
    body = [node for node in described.body if not isinstance(node, ast.Expr)]
    told = [node.value for node in described.body[1:] if isinstance(node, ast.Expr)]
    texts = [each.value for each in told if isinstance(each, ast.Constant)]
    names = [node.target.id for node in body if isinstance(node, ast.AnnAssign)]  # type: ignore[union-attr]  # fields have plain names
    return {name: str(text) for name, text in zip(names, texts, strict=True)}


def _convicting(off: str) -> tuple[str, str]:
    for schedule in SCHEDULES.values():
        if off in schedule.guards:
            return schedule.name, schedule.guards[off]
    return "", ""


def _register_all() -> None:
    told = _told()
    for name in Switches.__dataclass_fields__:
        schedule, finding = _convicting(name)
        if schedule:
            register(Mutant(name, told[name], off=name, schedule=schedule, finding=finding))
    for off, (name, mistake) in TOGETHER.items():
        schedule, finding = _convicting(off)
        register(Mutant(name, mistake, off=off, schedule=schedule, finding=finding))


_register_all()
