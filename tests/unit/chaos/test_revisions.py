"""One order of revisions over all keys; guilty and innocent histories."""

from kvraft_chaos.checkers.revisions import check_revisions
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Recorder


class Story:
    def __init__(self):
        self.recorder = Recorder()

    def call(self, f, key):
        process = self.recorder.process()
        self.recorder.record(process, "invoke", f, key=key, value={})
        return process, f, key

    def ok(self, call, **result):
        process, f, key = call
        self.recorder.record(process, "ok", f, key=key, value=result)

    def put(self, key, revision):
        self.ok(self.call("put", key), mod_revision=revision)

    def report(self):
        return check_revisions(self.recorder.events)


def test_writes_of_different_keys_share_one_order():
    story = Story()
    story.put("a", 2)
    story.put("b", 3)
    late = story.call("cas", "a")
    story.put("c", 5)
    story.ok(late, succeeded=True, mod_revision=4)
    story.ok(story.call("delete", "a"), deleted=True, revision=6)
    story.ok(story.call("delete", "a"), deleted=False, revision=6)
    story.ok(story.call("cas", "b"), succeeded=False, current={"value": "x", "mod_revision": 3})
    report = story.report()
    assert report.verdict is Verdict.VALID
    assert report.sentence() == "valid: 5 writes in one order of revisions"


def test_a_revision_given_out_twice_convicts():
    story = Story()
    first, second = story.call("put", "a"), story.call("put", "b")
    story.ok(first, mod_revision=2)
    story.ok(second, mod_revision=2)
    report = story.report()
    assert report.verdict is Verdict.INVALID
    assert report.contradiction == "events 2 and 3 both wrote revision 2"
    assert report.events == (2, 3)


def test_a_write_below_what_another_key_had_shown_convicts():
    story = Story()
    story.ok(story.call("get", "a"), value="x", mod_revision=9)
    story.put("b", 8)
    report = story.report()
    assert report.verdict is Verdict.INVALID
    assert report.contradiction == "event 3 wrote 8, but event 1 had shown 9 before"
    assert report.events == (1, 3)


def test_a_refusal_shows_a_revision_too():
    story = Story()
    story.ok(story.call("cas", "a"), succeeded=False, current={"value": "x", "mod_revision": 9})
    story.ok(story.call("delete", "b"), deleted=True, revision=9)
    assert story.report().verdict is Verdict.INVALID
