"""All drills by name, in the order in which to see them."""

from kvraft_chaos.drills import (
    ambiguous_timeout,
    deadlock,
    hold_over_slow_call,
    last_seat,
    lost_update,
    paused_worker,
    retry_storm,
    split_brain,
)
from kvraft_chaos.drills.drill import Drill

DRILLS: dict[str, Drill] = {
    module.DRILL.name: module.DRILL
    for module in (
        lost_update,
        last_seat,
        paused_worker,
        retry_storm,
        deadlock,
        ambiguous_timeout,
        split_brain,
        hold_over_slow_call,
    )
}
