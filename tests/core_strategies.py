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

keys = st.sampled_from([b"a", b"b", b"ba", b"bb", b"c", b"ca", b"d"])
lease_ids = st.integers(1, 9)
ttls_ms = st.sampled_from([999, 1_000, 1_500, 3_000, 5_000, 5_001])
values = st.sampled_from([b"", b"x", b"yy", b"zzz"])
revisions = st.integers(1, 30)
few_members = st.builds(Member, st.sampled_from(["n1", "n2", "n3", "n9"]), st.integers(1, 5))
expectations = st.one_of(
    st.just(Expect(absent=True)),
    st.builds(Expect, value=values),
    st.builds(Expect, version=st.integers(1, 3)),
    st.builds(Expect, mod_revision=revisions, create_revision=st.none() | revisions),
    st.builds(Expect, absent=st.booleans(), create_revision=revisions),
    st.just(Expect()),
)
attachments = st.fixed_dictionaries(
    {},
    optional={"lease_id": lease_ids, "ttl_ms": ttls_ms, "keep_lease": st.booleans()},
)
puts = st.tuples(keys, values, attachments, st.booleans()).map(
    lambda t: Put(t[0], t[1], return_previous=t[3], **t[2])
)
swaps = st.tuples(keys, values, expectations, attachments).map(
    lambda t: CompareAndSet(t[0], t[1], t[2], **t[3])
)
meeting_command = st.one_of(
    puts,
    puts,
    swaps,
    st.builds(Delete, keys, st.booleans()),
    st.builds(DeleteRange, keys | st.just(b""), st.none() | keys),
    st.builds(LeaseGrant, ttls_ms, st.none() | lease_ids),
    st.builds(LeaseGrant, ttls_ms, st.none() | lease_ids),
    st.builds(LeaseKeepAlive, lease_ids),
    st.builds(LeaseRevoke, lease_ids),
    st.builds(MemberDisk, few_members),
    st.builds(HashMarker, st.integers(0, 9)),
    st.just(Bootstrap(77, (Member("n9", 1),), ApplyLimits())),
)
