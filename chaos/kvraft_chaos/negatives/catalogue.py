"""Every negative control by its name."""

import sys
from functools import partial

from kvraft_chaos.negatives.negative import Negative, nameless, pinned
from kvraft_chaos.negatives.performers import BlindRetries, CheckThenSet, Impatient
from kvraft_chaos.nemesis.plan import Step

LOCAL_PATIENCE_S = 0.3
"""A call takes 0.01 s where nothing is cut, a few times that on a busy machine."""
PLAIN_PATIENCE_S = 0.4
"""Plain PySyncObj takes 0.2 s for a write, for it sends ten times a second."""
PAUSE_MS = 1_600
"""The locks of `fenced-counter` last 1 s; then others have them for a while."""


def _double(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"kvraft_chaos.negatives.{module}")


def _paused(*clients: int, at_ms: int) -> tuple[Step, ...]:
    """Half of the clients, while the other half goes on and takes over what they held."""
    return tuple(Step(at_ms, PAUSE_MS, "pause-client", {"client": each}) for each in clients)


_ALL = (
    Negative(
        name="local-reads",
        sentence="nodes answer reads from their own state and ask nobody",
        workload="register",
        duration_ms=4_500,
        steps=(Step(600, 3_600, "isolate-leader"),),
        command=_double("local_reads"),
        connect=pinned,
        performer=partial(Impatient, patience_s=LOCAL_PATIENCE_S),
    ),
    Negative(
        name="no-fence",
        sentence="nodes do not look at the fence of a write: whoever lost a lock still writes",
        workload="fenced-counter",
        duration_ms=4_500,
        steps=(*_paused(0, 1, 2, at_ms=600), *_paused(3, 4, 5, at_ms=2_500)),
        command=_double("no_fence"),
    ),
    Negative(
        name="no-identity",
        sentence="clients send again what was not answered, and do not say that it is the same",
        workload="append",
        duration_ms=4_000,
        steps=(Step(700, 2_500, "half-open", {"node": "all", "where": "clients"}),),
        connect=nameless,
        performer=BlindRetries,
    ),
    Negative(
        name="check-then-set",
        sentence="clients look, decide and write in two steps, in the place of a compare-and-set",
        workload="register",
        duration_ms=3_000,
        performer=CheckThenSet,
    ),
    Negative(
        name="plain-pysyncobj",
        sentence="nodes on PySyncObj as it comes: its own transport and journal, and no guard",
        workload="register",
        duration_ms=5_000,
        steps=(Step(600, 4_100, "isolate-leader"),),
        command=_double("plain_pysyncobj"),
        connect=pinned,
        performer=partial(Impatient, patience_s=PLAIN_PATIENCE_S),
    ),
)

NEGATIVES: dict[str, Negative] = {each.name: each for each in _ALL}
