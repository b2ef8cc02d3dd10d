"""Play one drill from the start of its cluster to its end, whatever happens in between."""

import contextlib
import threading
from collections.abc import Callable

from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground, private_ground
from kvraft_chaos.drills.stage import Report, Stage
from kvraft_chaos.observed import ClusterError
from kvraft_chaos.proxies import ToxiproxyError
from kvraft_chaos.stopping import signals_noted

NO_GROUND = (ClusterError, ToxiproxyError)
"""What `run` raises where the cluster does not start, or does not come back."""
LOOK_SECONDS = 0.05
"""How often a signal is looked for while the play goes on."""


def run(
    drill: Drill,
    stage: Stage,
    ground: Callable[[], contextlib.AbstractContextManager[Ground]] = private_ground,
) -> Report:
    """Play it on a ground of its own. A signal ends it and leaves nothing behind: `interrupted`.

    Signals raise nothing: one that came between two lines of a start, or of a clean-up, would
    leave processes. The play has a thread of its own, which is not waited for after a signal.
    """
    stage.open(drill.name, drill.question)
    with signals_noted() as told_to_stop:
        stage.note("starting a private cluster of three nodes, every link through a fault proxy")
        with ground() as ready:
            errors: list[BaseException] = []
            play = threading.Thread(
                target=_play, args=(drill, stage, ready, errors), name=drill.name, daemon=True
            )
            play.start()
            while play.is_alive() and not told_to_stop.is_set():
                play.join(LOOK_SECONDS)
            stage.report.interrupted = play.is_alive()
            ready.end_children()
    if stage.report.interrupted:
        stage.note("stopped; nothing is left of it")
    elif errors:
        raise errors[0]
    return stage.report


def _play(drill: Drill, stage: Stage, ground: Ground, errors: list[BaseException]) -> None:
    try:
        drill.play(stage, ground)
    except BaseException as error:  # noqa: BLE001 - raised by `run`, unless a signal came first
        errors.append(error)
