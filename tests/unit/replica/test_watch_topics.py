"""Topics: who wants an event, found without looking at all."""

from unittest.mock import Mock

from watch_desk import put

from kvraft.replica.watch_topics import Kind, Topics, WatchSpec


def test_ranges_that_a_key_is_not_in_cost_it_next_to_nothing(monkeypatch) -> None:
    """256 writes before 1,000 watched ranges took 200 ms of each apply."""
    looked_at = []
    plain = WatchSpec.has
    monkeypatch.setattr(WatchSpec, "has", lambda *each: looked_at.append(1) or plain(*each))
    topics = Topics()
    specs = [WatchSpec(Kind.RANGE, b"%03d" % n, b"%03d" % (n + 2)) for n in range(100)]
    specs += [WatchSpec(Kind.RANGE, b"050"), WatchSpec(Kind.RANGE, b"050", b"050"), specs[7]]
    joined = [topics.join(spec) for spec in reversed(specs)]
    for topic in joined:
        topic.readers[Mock()] = None
    at_050 = [*specs[49:51], specs[100]]
    assert {topic.spec for topic in topics.matching(put(b"050"))} == {*at_050}
    assert {topic.spec for topic in topics.matching(put(b"007x"))} == {*specs[6:8]}
    assert topics.matching(put(b"!")) == []
    for topic in joined:
        topics.leave(topic)
        left = {each.spec for each in topics}
        assert {each.spec for each in topics.matching(put(b"050"))} == left & {*at_050}
    assert (len(topics), topics.matching(put(b"050"))) == (0, [])
    assert len(looked_at) == 0
