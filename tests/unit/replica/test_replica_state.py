"""Bootstrap, joining disks, snapshots in slices, installed states, hashes."""

from kvraft.consensus.port import Failure
from kvraft.core.commands import Bootstrap, HashMarker, MemberDisk, Put
from kvraft.core.errors import Reason
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import HashReport, decode, encode


class Source:
    """A snapshot in memory."""

    index, term = 50, 3

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]


def test_the_first_leader_waits_for_every_disk_then_bootstraps(make_rig):
    rig = make_rig()
    rig.lead()
    rig.tick()
    assert rig.consensus.proposed == []
    assert rig.submit(Put(b"k", b"v"))[0].reason is Reason.NO_QUORUM, "nobody is served yet"

    for name in ("n2", "n3"):
        rig.consensus.known[name] = rig.consensus.hello(name)
    rig.tick()
    (bootstrap,) = rig.consensus.entries()[0].commands

    assert isinstance(bootstrap, Bootstrap)
    assert [member.name for member in bootstrap.members] == ["n1", "n2", "n3"]

    rig.consensus.commit()
    rig.tick()

    assert rig.consensus.members == (
        rig.replica.machine.cluster_id,
        {name: rig.consensus.hello(name).disk_id for name in ("n1", "n2", "n3")},
    )
    assert rig.consensus.proposed == []
    assert rig.submit(Put(b"k", b"v")) == []


def test_a_missing_disk_is_waited_for_only_so_long(make_rig):
    rig = make_rig()
    rig.lead()
    rig.consensus.known["n2"] = rig.consensus.hello("n2")
    rig.tick(seconds=0.9)
    assert rig.consensus.proposed == []

    rig.tick(seconds=0.2)
    (bootstrap,) = rig.consensus.entries()[0].commands
    assert [(each.name, each.disk_id != 0) for each in bootstrap.members] == [
        ("n1", True),
        ("n2", True),
        ("n3", False),
    ]

    rig.consensus.commit()
    assert set(rig.consensus.members[1]) == {"n1", "n2"}, "an empty slot counts for nothing"
    rig.replica.on_join_request("n3", 777, 1)
    rig.tick()
    rig.consensus.commit()
    assert rig.consensus.members[1]["n3"] == 777, "and is filled by the disk that asks"


def test_a_disk_that_the_state_refuses_is_told_of(rig):
    rig.replica.on_join_request("n9", 777, 1)
    rig.tick()
    rig.consensus.commit()

    assert "n9" in rig.doors.events[-1]


def test_a_failed_bootstrap_is_proposed_again(make_rig):
    rig = make_rig()
    rig.lead()
    rig.tick(seconds=1.1)
    rig.consensus.fail(Failure.LEADERSHIP_LOST)
    rig.tick()

    assert len(rig.consensus.proposed) == 1


def test_a_disk_that_asks_is_proposed_not_too_often(rig):
    for _ in range(3):
        rig.replica.on_join_request("n3", 777, 1)
    rig.tick()
    assert [type(command) for command in rig.consensus.entries()[0].commands] == [MemberDisk]

    rig.consensus.commit()
    assert rig.consensus.members[1]["n3"] == 777

    rig.tick(seconds=0.4)
    rig.replica.on_join_request("n3", 777, 1)
    rig.tick(seconds=0.6)
    rig.replica.on_join_request("n3", 777, 1)
    rig.tick()
    assert len(rig.consensus.proposed) == 1


def test_a_follower_proposes_no_disk(follower):
    follower.replica.on_join_request("n3", 777, 1)
    follower.tick()

    assert follower.consensus.proposed == []


def fill(rig, keys: int = 300) -> None:
    for number in range(keys):
        rig.submit(Put(b"key%04d" % number, b"v" * 1000))
    while True:
        rig.tick()
        if not rig.consensus.proposed:
            return
        rig.consensus.commit()


def test_a_snapshot_is_due_by_bytes_of_log_and_encoded_in_slices(make_rig):
    rig = make_rig(limits=ReplicaLimits(snapshot_log_bytes=300_000))
    rig.bootstrap()
    rig.lead()
    rig.doors.step = 0.0005
    fill(rig)
    while not rig.consensus.sinks or not rig.consensus.sinks[0].committed:
        rig.tick()
    (sink,) = rig.consensus.sinks

    assert rig.replica.counters()["snapshots"] == 0
    woken = rig.doors.woken
    sink.committed()
    assert rig.replica.counters()["snapshots"] == 1
    assert woken > 3, "it took several turns, each asking for the next"

    loading = rig.replica.begin_load(Source(b"".join(sink.blocks)))
    while not loading.step():
        pass
    assert loading.machine().get(b"key0007").value == b"v" * 1000


def test_between_two_slices_the_loop_is_left_to_the_requests(make_rig):
    """A write takes about ten turns: with a slice in each it would pay for all ten."""
    rig = make_rig(limits=ReplicaLimits(snapshot_log_bytes=300_000, slice_pause=1e6))
    rig.bootstrap()
    rig.lead()
    rig.doors.step = 0.0005
    fill(rig)
    while not rig.consensus.sinks:
        rig.tick()
    (sink,) = rig.consensus.sinks
    rig.doors.time -= 1e3  # the pause that was asked for is not over
    written = len(sink.blocks)
    for _ in range(10):
        rig.tick()

    assert written
    assert len(sink.blocks) == written


def test_the_encoder_pauses_behind_a_slow_disk(rig):
    done: list = []
    rig.replica.take_snapshot(rig.deadline, done.append)
    rig.tick()
    rig.replica.take_snapshot(rig.deadline, done.append)
    rig.consensus.sinks[0].committed()
    assert len(done) == 1, "who asked during a snapshot waits for the next"

    rig.tick()
    rig.consensus.sinks[1].backlog = 1 << 30
    rig.replica.take_snapshot(rig.deadline, done.append)
    rig.tick()
    assert len(rig.consensus.sinks) == 2


def test_an_installed_state_replaces_the_own_and_ends_what_was_in_progress(rig, make_rig):
    fill(rig, keys=10)
    frozen = rig.replica.machine.freeze()
    source = Source(b"".join(frozen.blocks()))
    frozen.release()

    other = make_rig("n2")
    other.bootstrap()
    other.doors.step = 1.0
    other.replica.take_snapshot(other.deadline, [].append)
    other.replica.tick()
    loading = other.replica.begin_load(source)
    while not loading.step():
        pass
    other.replica.adopt(loading, 50)

    assert other.replica.machine.get(b"key0003").value == b"v" * 1000
    assert other.consensus.members[0] == rig.replica.machine.cluster_id


def test_hashes_of_equal_states_are_equal_and_gathered(rig, make_rig):
    outcomes: list = []
    rig.replica.state_hash(rig.deadline, outcomes.append)
    rig.tick()
    payload = rig.consensus.proposed[0][0]
    (marker,) = rig.consensus.entries()[0].commands
    rig.consensus.commit()
    index = rig.consensus.applied_index
    rig.tick()

    reports = {}
    for name in ("n2", "n3"):
        other = make_rig(name)
        other.bootstrap()
        other.replica.apply(index, payload)
        other.tick()
        report = decode(other.consensus.sent[-1][1])
        reports[name] = report
        rig.replica.on_peer_message(name, encode(report))

    assert isinstance(marker, HashMarker)
    assert [state_hash.node for state_hash in outcomes[0]] == ["n1", "n2", "n3"]
    assert len({state_hash.digest for state_hash in outcomes[0]}) == 1
    assert {state_hash.index for state_hash in outcomes[0]} == {index}


def test_a_hash_answers_at_its_deadline_with_what_there_is(rig):
    outcomes: list = []
    rig.replica.state_hash(rig.deadline, outcomes.append)
    rig.tick()
    rig.consensus.commit()
    rig.tick()
    rig.tick(seconds=6.0)

    assert [state_hash.node for state_hash in outcomes[0]] == ["n1"]
    rig.replica.on_peer_message("n2", encode(HashReport(1, 1, 1, "00" * 32)))


def test_status_gathers_all_counters(rig):
    fill(rig, keys=3)
    status = rig.replica.status()

    assert (status.keys, status.counters["commands"], status.counters["fsyncs"]) == (3, 3, 7)
    assert rig.replica.endpoints() == {"n1": "n1:1"}
    assert (rig.replica.leader, rig.replica.term) == ("n1", 1)
    assert rig.replica.quorum_reachable()


def test_a_marker_that_failed_is_denied(rig):
    outcomes: list = []
    rig.replica.state_hash(rig.deadline, outcomes.append)
    rig.tick()
    rig.consensus.fail(Failure.LEADERSHIP_LOST)
    rig.tick(seconds=20.0)

    assert [outcome.reason for outcome in outcomes] == [Reason.UNKNOWN_RESULT]
