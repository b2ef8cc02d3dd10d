"""Commands, results and entries for the property tests of the core, over few keys and leases."""

from hypothesis import strategies as st

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
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    LeaseResult,
    MarkerResult,
    MemberResult,
    PutResult,
    Refused,
    RevokeResult,
)

int64 = st.integers(-(1 << 63), (1 << 63) - 1)
maybe_int64 = st.none() | int64
data = st.binary(max_size=40)
names = st.text(max_size=20)

small_limits = ApplyLimits(
    touched_entries=5,
    expiries_per_entry=2,
    leases=4,
    ttl_leases=3,
    keys_per_lease=3,
    ttl_min_ms=1_000,
    ttl_max_ms=5_000,
)
"""So small that a short run meets every bound."""

any_limits = st.builds(ApplyLimits, *[int64] * 7)
any_members = st.builds(Member, names, int64, st.integers(0, 65_535))
any_command = st.one_of(
    st.builds(Put, data, data, maybe_int64, maybe_int64, st.booleans(), st.booleans()),
    st.builds(Delete, data, st.booleans()),
    st.builds(DeleteRange, data, st.none() | data),
    st.builds(
        CompareAndSet,
        data,
        data,
        st.builds(Expect, st.booleans(), st.none() | data, *[maybe_int64] * 3),
        maybe_int64,
        maybe_int64,
        st.booleans(),
    ),
    st.builds(LeaseGrant, int64, maybe_int64),
    st.builds(LeaseKeepAlive, int64),
    st.builds(LeaseRevoke, int64),
    st.builds(Bootstrap, int64, st.lists(any_members, max_size=4).map(tuple), any_limits),
    st.builds(MemberDisk, any_members),
    st.builds(HashMarker, int64),
)
any_entry = st.builds(Entry, maybe_int64, st.lists(any_command, max_size=5).map(tuple))
any_key_value = st.builds(KeyValue, data, data, *[int64] * 4)
any_result = st.one_of(
    st.builds(PutResult, any_key_value, st.none() | any_key_value),
    st.builds(DeleteResult, int64, st.none() | any_key_value),
    st.builds(CasResult, st.booleans(), st.none() | any_key_value),
    st.builds(LeaseResult, int64, int64, int64),
    st.builds(RevokeResult, int64, int64),
    st.builds(MemberResult, int64, names, int64),
    st.builds(MarkerResult, int64, int64),
    st.builds(Refused, st.sampled_from(Reason), names),
)

# -- commands that meet: seven keys, a few lease ids, revisions that occur

KEYS = [b"a", b"b", b"ba", b"bb", b"c", b"ca", b"d"]
VALUES = [b"", b"x", b"yy", b"zzz"]
LEASE_IDS = [1, 2, 3, 4]
TTLS_MS = [1_000, 1_000, 1_500, 3_000, 5_000, 5_000, 999, 5_001]


def pick(options):
    return st.sampled_from(options)


attachments = st.one_of(
    st.just({}),
    st.builds(lambda lease_id: {"lease_id": lease_id}, pick(LEASE_IDS)),
    st.builds(lambda lease_id: {"lease_id": lease_id}, pick(LEASE_IDS)),
    st.builds(lambda ttl_ms: {"ttl_ms": ttl_ms}, pick(TTLS_MS)),
    st.just({"keep_lease": True}),
    st.builds(lambda lease_id: {"lease_id": lease_id, "keep_lease": True}, pick(LEASE_IDS)),
)
revisions = st.integers(1, 30)
expectations = st.one_of(
    st.just(Expect(absent=True)),
    st.builds(Expect, value=pick(VALUES)),
    st.builds(Expect, version=st.integers(1, 3)),
    st.builds(Expect, mod_revision=revisions, create_revision=st.none() | revisions),
    st.builds(Expect, absent=st.booleans(), create_revision=revisions),
    st.just(Expect()),
)
puts = st.builds(
    lambda key, value, previous, given: Put(key, value, return_previous=previous, **given),
    pick(KEYS),
    pick(VALUES),
    st.booleans(),
    attachments,
)
swaps = st.builds(
    lambda key, value, expect, given: CompareAndSet(key, value, expect, **given),
    pick(KEYS),
    pick(VALUES),
    expectations,
    attachments,
)
grants = st.builds(LeaseGrant, pick(TTLS_MS), st.none() | pick(LEASE_IDS))
meeting_command = st.one_of(
    puts,
    puts,
    puts,
    swaps,
    grants,
    grants,
    st.builds(Delete, pick(KEYS), st.booleans()),
    st.builds(DeleteRange, pick([b"", *KEYS]), st.none() | pick(KEYS)),
    st.builds(LeaseKeepAlive, pick(LEASE_IDS)),
    st.builds(LeaseRevoke, pick(LEASE_IDS)),
    st.builds(MemberDisk, st.builds(Member, pick(["n1", "n2", "n9"]), st.integers(1, 5))),
    st.builds(HashMarker, st.integers(0, 9)),
    st.just(Bootstrap(77, (Member("n9", 1),), ApplyLimits())),
)


def random_attachment(random):
    return random.choice(
        [
            {},
            {"keep_lease": True},
            {"ttl_ms": random.choice(TTLS_MS)},
            {"lease_id": random.choice(LEASE_IDS)},
            {"lease_id": random.choice(LEASE_IDS)},
            {"lease_id": random.choice(LEASE_IDS)},
            {"lease_id": random.choice(LEASE_IDS), "ttl_ms": 1_000},
        ]
    )


def random_expectation(random):
    return random.choice(
        [
            Expect(absent=True),
            Expect(),
            Expect(value=random.choice(VALUES)),
            Expect(version=random.randint(1, 3)),
            Expect(version=1, value=random.choice(VALUES)),
            Expect(absent=True, version=1),
            Expect(mod_revision=random.randint(1, 99)),
            Expect(create_revision=random.randint(1, 99)),
        ]
    )


def random_command(random):
    """The same commands for long seeded runs; hypothesis is for short ones that shrink."""
    key, value = random.choice(KEYS), random.choice(VALUES)
    lease_id, given = random.choice(LEASE_IDS), random_attachment(random)
    return random.choices(
        [
            Put(key, value, return_previous=random.random() < 0.5, **given),
            CompareAndSet(key, value, random_expectation(random), **given),
            LeaseGrant(random.choice(TTLS_MS), random.choice([None, lease_id, lease_id])),
            Delete(key, return_previous=random.random() < 0.5),
            DeleteRange(key, random.choice([*KEYS, None])),
            DeleteRange(b"", None),
            LeaseKeepAlive(lease_id),
            LeaseRevoke(lease_id),
            MemberDisk(Member(random.choice(["n1", "n2", "n9"]), random.randint(1, 5))),
            HashMarker(random.randint(0, 9)),
            Bootstrap(77, (Member("n9", 1),), ApplyLimits()),
        ],
        weights=[40, 20, 16, 5, 2, 2, 6, 3, 1, 1, 1],
    )[0]
