"""Golden transcripts: command lines in; results, revision and state hash out.

A transcript (tests/transcripts/*.txt) is a run of one state machine. Each block is one log entry:
its lines, `----`, and what came of it; `#` begins a comment. After a wanted change of behaviour

    KVRAFT_REGENERATE=1 pytest tests/test_transcripts.py

writes the answers anew, and the diff of the transcripts is what a reviewer reads. (The form is that
of etcd/raft's testdata.)
"""

import os
import shlex
from pathlib import Path

import pytest
from core_states import digest, encoding, loaded

from kvraft.core.commands import (
    Bootstrap,
    CompareAndSet,
    Delete,
    DeleteRange,
    Entry,
    Expect,
    HashMarker,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Member,
    MemberDisk,
    Put,
)
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    LeaseResult,
    MarkerResult,
    MemberResult,
    PutResult,
    Refused,
    RevokeResult,
)
from kvraft.core.snapshot import restored

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
REGENERATE = os.environ.get("KVRAFT_REGENERATE") == "1"


def options(words):
    """Split `name=value` and bare words into keyword arguments; numbers stay text."""
    pairs = (word.partition("=") for word in words)
    return {name: value if equals else True for name, equals, value in pairs}


def attachment(given):
    named = {"lease": ("lease_id", int), "ttl": ("ttl_ms", int), "keep": ("keep_lease", bool)}
    return {name: kind(given.pop(word)) for word, (name, kind) in named.items() if word in given}


def expectation(given):
    kinds = {
        "absent": ("absent", bool),
        "value": ("value", str.encode),
        "version": ("version", int),
        "mod": ("mod_revision", int),
        "create": ("create_revision", int),
    }
    return Expect(**{kinds[word][0]: kinds[word][1](text) for word, text in given.items()})


def parse_command(line):
    verb, *words = shlex.split(line)
    match verb, words:
        case "put", [key, value, *rest]:
            given = options(rest)
            previous = given.pop("previous", False)
            arguments = attachment(given)
            assert not given, line
            return Put(key.encode(), value.encode(), return_previous=previous, **arguments)
        case "cas", [key, value, *rest]:
            given = options(rest)
            arguments = attachment(given)
            return CompareAndSet(key.encode(), value.encode(), expectation(given), **arguments)
        case "delete", [key, *rest]:
            return Delete(key.encode(), **{f"return_{word}": True for word in rest})
        case "delete-range", [start]:
            return DeleteRange(start.encode(), None)
        case "delete-range", [start, end]:
            return DeleteRange(start.encode(), end.encode())
        case "grant", [ttl]:
            return LeaseGrant(int(ttl))
        case "grant", [ttl, lease_id]:
            return LeaseGrant(int(ttl), int(lease_id))
        case "keepalive", [lease_id]:
            return LeaseKeepAlive(int(lease_id))
        case "revoke", [lease_id]:
            return LeaseRevoke(int(lease_id))
        case "bootstrap", [cluster_id, members, *limits]:
            disks = options(members.split(","))
            rows = tuple(Member(name, int(disk_id)) for name, disk_id in disks.items())
            bounds = {name: int(value) for name, value in options(limits).items()}
            return Bootstrap(int(cluster_id), rows, ApplyLimits(**bounds))
        case "member", [name, disk_id]:
            return MemberDisk(Member(name, int(disk_id)))
        case "marker", [nonce]:
            return HashMarker(int(nonce))
    raise AssertionError(f"not a command: {line}")


def show_entry(entry):
    if entry is None:
        return "absent"
    lease = f" lease={entry.lease_id}" if entry.lease_id else ""
    revisions = f"create={entry.create_revision} mod={entry.mod_revision} version={entry.version}"
    return f"{entry.key.decode()}={entry.value.decode()!r} {revisions}{lease}"


def show(result):
    match result:
        case PutResult(entry, previous):
            return f"put {show_entry(entry)}" + (
                f"; was {show_entry(previous)}" if previous else ""
            )
        case DeleteResult(deleted, previous):
            return f"deleted {deleted}" + (f"; was {show_entry(previous)}" if previous else "")
        case CasResult(succeeded, entry):
            return f"{'swapped' if succeeded else 'kept'} {show_entry(entry)}"
        case LeaseResult(lease_id, ttl_ms, remaining_ms):
            return f"lease {lease_id} ttl={ttl_ms} remaining={remaining_ms}"
        case RevokeResult(lease_id, deleted):
            return f"revoked {lease_id}, {deleted} keys"
        case MemberResult(cluster_id, name, disk_id):
            return f"cluster {cluster_id}" + (f" {name}={disk_id}" if name else "")
        case MarkerResult(index, nonce):
            return f"marker {nonce} at index {index}"
        case Refused(reason, message):
            return f"{reason}: {message}"
    raise AssertionError(f"not a result: {result}")


class Transcript:
    """One run: `answer` takes a block's lines and gives what stands below its `----`."""

    def __init__(self):
        self.machine = StateMachine()

    def answer(self, lines):
        stamp_ms, commands, reads = None, [], []
        for line in lines:
            verb, *words = shlex.split(line)
            if verb == "at":
                stamp_ms = int(words[0])
            elif verb in ("get", "list", "lease", "leases", "members", "reload", "restore"):
                reads.append((verb, words))
            else:
                commands.append(parse_command(line))
        told = []
        if stamp_ms is not None or commands:
            entry = Entry(stamp_ms, tuple(commands))
            told += map(show, self.machine.apply(self.machine.index + 1, entry))
        for verb, words in reads:
            told += getattr(self, f"read_{verb}")(*words)
        machine = self.machine
        where = f"index={machine.index} revision={machine.revision} time={machine.cluster_time_ms}"
        return [*told, f"{where} hash={digest(machine)[:16]}"]

    def read_get(self, key):
        return [show_entry(self.machine.get(key.encode()))]

    def read_list(self, start="", end=None):
        end = None if end is None else end.encode()
        page = self.machine.page(start.encode(), end, limit=100, max_bytes=1 << 20)
        return [*map(show_entry, page.entries), f"{len(page.entries)} entries"]

    def read_lease(self, lease_id):
        lease = self.machine.describe_lease(int(lease_id))
        if lease is None:
            return [f"no lease {lease_id}"]
        keys = b" ".join(lease.keys).decode() or "none"
        return [f"lease {lease_id} ttl={lease.ttl_ms} remaining={lease.remaining_ms} keys: {keys}"]

    def read_leases(self):
        leases, _ = self.machine.list_leases(0, 100)
        return [f"lease {one.lease_id} remaining={one.remaining_ms}" for one in leases] or ["none"]

    def read_members(self):
        members = self.machine.members.values()
        return [" ".join(f"{member.name}={member.disk_id}" for member in members) or "none"]

    def read_reload(self):
        before = digest(self.machine)
        self.machine = loaded(encoding(self.machine), piece=7)
        assert digest(self.machine) == before
        return ["reloaded"]

    def read_restore(self):
        self.machine = restored(self.machine)
        return ["restored"]


def run(text):
    """Answer every block anew; comments and blank lines stay."""
    transcript, out = Transcript(), []
    for block in text.strip().split("\n\n"):
        asked = block.partition("\n----")[0].splitlines()
        lines = [line for line in asked if not line.startswith("#")]
        out.append("\n".join([*asked, "----", *transcript.answer(lines)] if lines else asked))
    return "\n\n".join(out) + "\n"


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_transcript_is_what_happens(path):
    text = path.read_text()
    answered = run(text)
    if REGENERATE:
        path.write_text(answered)
    else:
        assert answered == text


def test_there_are_transcripts():
    assert len(TRANSCRIPTS) >= 5


def test_another_answer_is_noticed():
    text = run("put k v\n")
    assert run(text) == text
    assert run(text.replace("version=1", "version=2")) != text.replace("version=1", "version=2")
    with pytest.raises(AssertionError, match="not a command: putt k v"):
        run("putt k v\n")
