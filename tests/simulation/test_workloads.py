"""The workloads of chaos, played in the simulated world: innocent, guilty, the same every time."""

import json

import pytest

from kvraft.core.commands import Fence, Put
from kvraft.core.results import GetResult, KeyValue, PutResult, Replayed, Resolved, TxnResult
from kvraft_chaos.simulation import failure_file
from kvraft_chaos.simulation.__main__ import main
from kvraft_chaos.simulation.client_process import Told
from kvraft_chaos.simulation.faults import Fault
from kvraft_chaos.simulation.mutants import MUTANTS
from kvraft_chaos.simulation.runs import run_seed
from kvraft_chaos.simulation.scripts import answers, players
from kvraft_chaos.simulation.scripts.commands import change_of
from kvraft_chaos.simulation.scripts.performer import Performer
from kvraft_chaos.workloads import perform, perform_recipes
from kvraft_chaos.workloads.catalogue import WORKLOADS
from kvraft_chaos.workloads.hands import Hands
from kvraft_chaos.workloads.lock import Lock
from kvraft_chaos.workloads.script import Call

SEEDS = (1, 3)
"""With several crashes and elections each, and a client that dies in the first."""
CONVICTED_WITHIN = 5
"""Seeds; the first one does for most."""
OPERATIONS_MIN = 100
"""Of a run: fewer say little."""


@pytest.fixture
def played(monkeypatch):
    """Every set of clients that the test plays."""
    kept = []

    class Kept(players.Players):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            kept.append(self)

    monkeypatch.setattr("kvraft_chaos.simulation.campaign.Players", Kept)
    return kept


def test_every_workload_is_played_but_the_recipes():
    assert set(WORKLOADS) - set(players.PLAYED) == {"recipe"}


def test_the_simulator_performs_what_a_real_cluster_is_asked():
    recipes = perform_recipes.recipe_deeds(Hands(None)).keys()
    real = perform.Performer(None)._deeds.keys() - recipes
    assert Performer(None, None, None, None, None)._deeds.keys() == real


@pytest.mark.parametrize("workload", players.PLAYED)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_workload_is_valid_over_faults(workload, seed, played):
    run = run_seed(seed, workload=workload)
    (clients,) = played
    assert (run.violations, run.undecided_keys) == ([], 0)
    assert clients.findings
    told = [(each.checker, each.verdict.value, each.sentence) for each in clients.findings]
    assert [each for each in told if each[1] != "valid"] == []
    assert run.crashes >= 3
    assert run.operations > OPERATIONS_MIN


@pytest.mark.parametrize(
    ("workload", "mutant", "finding"),
    [
        ("register", "local_reads_sold_as_linearizable", "linearizability"),
        ("bank", "unknown_told_as_refused", "replay"),
        ("set", "unknown_told_as_refused", "effects"),
        ("fenced-counter", "fence_not_checked", "counters"),
        ("lease", "expiry_without_its_keys", "lease-keys"),
        ("watch", "watch_repeats_after_resume", "watches"),
    ],
)
def test_the_workloads_own_checker_convicts(workload, mutant, finding):
    assert mutant in MUTANTS
    found = []
    for seed in range(1, CONVICTED_WITHIN + 1):
        found += [each.kind for each in run_seed(seed, workload=workload, mutant=mutant).violations]
        if finding in found:
            return
    pytest.fail(f"{mutant} was convicted of {found} only")


def test_one_seed_is_one_history(played):
    runs = [run_seed(1, workload="lock") for _ in range(2)]
    one, other = (clients.recorder.events for clients in played)
    assert runs[0].trace == runs[1].trace
    assert one == other


def test_a_client_that_dies_leaves_an_unknown_call_and_goes_on(played):
    dies = [Fault(at, "client_crash", ("c1", "A"), 0.5) for at in (2.0, 4.0, 6.0)]
    run = run_seed(3, workload="lock", plan=dies)
    (clients,) = played
    events = clients.recorder.events
    died = [event for event in events if event.error == "the client died"]
    assert run.client_crashes == 3
    assert {event.type for event in died} == {"info"}, "it died in the middle of a call"
    over = {event.process: event.index for event in died}
    assert all(event.index <= over.get(event.process, len(events)) for event in events)
    processes = {event.process for event in events if event.type == "invoke"}
    assert len(processes) == Lock.clients + len(died) + 1, "all, those that went on, the finals"
    assert run.violations == []


def test_a_failure_remembers_its_workload(tmp_path, capsys):
    run = run_seed(1, workload="fenced-counter", mutant="fence_not_checked")
    failure = failure_file.describe(run, "fence_not_checked", runs_max=0)
    path = failure_file.save(failure, tmp_path)
    assert path.name == "fenced-counter-fence_not_checked-1.json"
    assert failure_file.load(path) == failure
    assert main(["--replay", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["exact"] is True


def test_the_command_line_plays_one(capsys):
    asked = ["--workload", "fenced-counter", "--mutant", "fence_not_checked", "--seeds", "1"]
    assert main([*asked, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["workload"], report["seeds"], report["first_seed"]) == ("fenced-counter", 1, 1)
    assert {"counters", "fences"} <= set(report["kinds"])
    assert report["client_operations"] > OPERATIONS_MIN


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workload", "recipe"], "choose from"),
        (["--workload", "set", "--mutants"], "--workload goes with --seeds"),
        (["--workload", "set", "--replay", "x.json"], "--workload goes with --seeds"),
    ],
)
def test_what_cannot_be_played_is_named(arguments, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert words in capsys.readouterr().err


# -- words


def entry(value=b"1", *, omitted=False):
    return KeyValue(b"k", b"" if omitted else value, 5, 7, 1, 0, omitted)


def test_a_fenced_put_carries_its_fence():
    call = Call("fenced_put", "k", {"value": "1", "lock": "l", "token": 4})
    change = change_of(call)
    assert change.mutation == Put(b"k", b"1")
    assert change.fences == (Fence(b"l", 4),)


def test_an_answer_given_again_says_where_it_was_decided():
    done = TxnResult(None, (GetResult(entry()),))
    again = answers.told(Told(Replayed(done, 7), 9))
    assert again.result == {
        "succeeded": True,
        "revision": 7,
        "results": [{"value": "1", "mod_revision": 7}],
    }


def test_what_the_store_left_out_is_not_made_up():
    done = TxnResult(None, (GetResult(entry(omitted=True)),))
    assert answers.resolved(Resolved(done, 7, omitted=True)).result == {
        "succeeded": True,
        "revision": 7,
    }


def test_what_the_store_burned_has_failed():
    assert answers.resolved(Resolved(None)).type == "fail"
    assert answers.resolved(Resolved(PutResult(entry()), 7)).result == {"mod_revision": 7}
