"""Mistakes put into the real code on purpose: a check that none of them trips is no check.

A mutant is a switch of `kvraft.consensus.switches` turned off, or a patch of product code for the
length of a run. Each is convicted by a named schedule, or by a seed of the random campaign. Mutants
of a feature come with the feature.
"""

from kvraft_chaos.simulation.mutants import (
    consensus,
    exactly_once,
    fences,
    history,
    locks,
    state,
    storage,
    switches,
    transactions,
    watches,
)
from kvraft_chaos.simulation.mutants.registry import MUTANTS, Mutant

__all__ = [
    "MUTANTS",
    "Mutant",
    "consensus",
    "exactly_once",
    "fences",
    "history",
    "locks",
    "state",
    "storage",
    "switches",
    "transactions",
    "watches",
]
