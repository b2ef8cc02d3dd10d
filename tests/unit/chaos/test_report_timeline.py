"""timeline.html: what is in it, for any history; that it draws is test_report_browser.py."""

import json
import re
from html.parser import HTMLParser

import pytest
from unit.chaos.report_samples import BEGIN, MS, Clock, Sample

from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import HistoryError, Recorder, load
from kvraft_chaos.report import document, write_timeline
from kvraft_chaos.run.directory import RunDirectory

PAGE_BYTES_PER_OPERATION = 140
"""Of 50,000 operations the page is below 7 MB, which a browser opens at once."""
NASTY = (
    "</script ></script><script>alert(1)</script><!--<script>&amp; \u2028 \ud800 {{data}} \\u003c"
)


class Reader(HTMLParser):
    """Splits a page as a browser does; what it holds as data."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.data, self.title, self._inside = [], "", "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id") if tag == "script" else tag

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "data":
            self.data += data
        elif self._inside == "title":
            self.title += data


def page_of(directory):
    return Reader(write_timeline(directory).read_text())


def data_of(directory):
    return json.loads(page_of(directory).data)


def recorded(tmp_path, *events):
    """A run directory with these events: (process, type, f, more), a millisecond apart."""
    directory, clock = RunDirectory(tmp_path), Clock()
    with Recorder(directory.history, now_ns=clock) as recorder:
        for process, kind, f, more in events:
            recorder.record(process, kind, f, **more)
            clock.now += MS
    return directory


def test_the_sample_is_what_it_says(tmp_path):
    """A picture of a wrong sample would mislead whoever looks at the tests."""
    (tmp_path / "good").mkdir()
    good = Sample(tmp_path / "good", operations=300).write()
    assert check(load(good.history)).verdict is Verdict.VALID
    bad = Sample(tmp_path, operations=300, invalid=True)
    report = check(load(bad.write().history))
    assert report.verdict is Verdict.INVALID
    assert {key.key for key in report.keys if key.verdict is Verdict.INVALID} == {"k1"}


def test_it_holds_operations_faults_leaders_and_findings(tmp_path):
    data = data_of(Sample(tmp_path, operations=60, faults=2, invalid=True).write())
    operations = data["operations"]
    assert {len(operations[name]) for name in operations if name != "tables"} == {60}
    assert [stroke["name"] for stroke in data["strokes"]] == ["isolate-leader", "one-way-in"]
    assert [stroke["family"] for stroke in data["strokes"]] == ["partition", "partition"]
    assert [(reign["node"], reign["term"]) for reign in data["reigns"]] == [("n1", 1), ("n2", 2)]
    assert [finding["verdict"] for finding in data["findings"]].count("invalid") == 1
    assert data["run"]["verdict"] == "invalid"


def test_times_are_those_of_the_history(tmp_path):
    directory = recorded(
        tmp_path,
        (0, "invoke", "get", {"key": "a"}),
        (1, "invoke", "put", {"key": "b", "value": {"value": "1"}}),
        (0, "ok", "get", {"key": "a", "value": {"value": None}}),
        (1, "fail", "put", {"key": "b", "error": "no quorum"}),
        (0, "invoke", "get", {"key": "a"}),
    )
    operations = data_of(directory)["operations"]
    assert (operations["start"], operations["length"]) == ([0, 1_000, 3_000], [2_000, 2_000, -1])
    assert [document.TYPES[each] for each in operations["type"]] == ["ok", "fail", "info"]
    assert operations["tables"]["error"] == ["no quorum"]


def test_no_text_of_a_run_leaves_its_script(tmp_path):
    directory = recorded(
        tmp_path,
        (0, "invoke", "put", {"key": NASTY.replace("\ud800", ""), "value": {"value": "<b>"}}),
    )
    directory.verdict.write_text(json.dumps({"verdict": "valid", "workload": NASTY}))
    page = page_of(directory)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not re.search("[<>&]", page.data)
    data = json.loads(page.data)
    assert data["run"]["workload"] == NASTY
    assert data["operations"]["tables"]["key"] == [NASTY.replace("\ud800", "")]


def test_the_title_says_the_verdict_first_and_is_escaped(tmp_path):
    directory = recorded(tmp_path)
    assert page_of(directory).title == "not judged, history"
    given = {"verdict": "invalid", "workload": "<i>", "negative": "no-fence", "seed": 3}
    directory.verdict.write_text(json.dumps(given))
    page = page_of(directory)
    assert page.title == "invalid, <i>, negative control no-fence, seed 3"
    assert ("i", {}) not in page.tags


def test_it_asks_for_nothing_from_elsewhere(tmp_path):
    page = write_timeline(Sample(tmp_path, operations=10, clients=2).write()).read_text()
    assert not re.search(r"https?:|@import|url\(|<link|src=", page)
    assert "default-src 'none'" in page


def test_an_empty_history_has_a_page(tmp_path):
    data = data_of(recorded(tmp_path))
    assert (data["operations"]["invoked"], data["strokes"], data["end"]) == ([], [], 0)


def test_no_faults_no_verdict(tmp_path):
    directory = recorded(tmp_path, (0, "invoke", "get", {"key": "a"}))
    data = data_of(directory)
    assert (data["strokes"], data["reigns"], data["findings"]) == ([], [], [])


def test_unknown_operations_have_no_end(tmp_path):
    directory = recorded(
        tmp_path,
        (0, "invoke", "put", {"key": "a", "value": {"value": "1"}}),
        (1, "invoke", "get", {"key": "a"}),
        (0, "info", "put", {"key": "a", "error": "deadline"}),
    )
    operations = data_of(directory)["operations"]
    assert [document.TYPES[each] for each in operations["type"]] == ["info", "info"]
    assert operations["completed"] == [2, -1]
    assert operations["length"] == [2_000, -1]


def test_a_fault_that_was_never_healed_stays_open(tmp_path):
    directory = recorded(tmp_path, (0, "invoke", "get", {"key": "a"}))
    strike = {"time_ns": BEGIN, "type": "strike", "name": "kill", "stroke": 0}
    directory.faults.write_text(json.dumps(strike) + "\n")
    assert data_of(directory)["strokes"][0]["end"] is None


def test_long_values_are_cut_and_what_is_no_json_is_text(tmp_path):
    directory = recorded(
        tmp_path,
        (0, "invoke", "log", {"key": "a/"}),
        (0, "ok", "log", {"key": "a/", "value": [[n, "a/k", "v"] for n in range(900)]}),
        (0, "invoke", "put", {"key": "a", "value": {"value": float("nan")}}),
    )
    operations = data_of(directory)["operations"]
    assert operations["result"][0].endswith("characters in history.jsonl)")
    assert len(operations["result"][0]) < document.VALUE_CHARS_MAX + 60
    assert operations["argument"][1] == '{"value": NaN}'


def test_of_too_many_operations_those_around_the_contradiction_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "OPERATIONS_MAX", 50)
    sample = Sample(tmp_path, operations=400, invalid=True)
    data = data_of(sample.write())
    operations = data["operations"]
    assert (len(operations["invoked"]), data["total"]) == (50, 400)
    assert sample.stale.index in operations["completed"]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("history", '{"index": 0', "truncated"),
        ("faults", '{"time_ns": 1, "type": "storm", "name": "x"}\n', "unknown type of mark"),
        ("verdict", "{", "not JSON"),
        ("verdict", "[]", "a verdict is an object"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, text, words):
    directory = recorded(tmp_path)
    getattr(directory, file).write_text(text)
    with pytest.raises(HistoryError, match=words):
        write_timeline(directory)


@pytest.mark.slow
def test_fifty_thousand_operations_make_a_page_of_bounded_size(tmp_path):
    directory = Sample(tmp_path, operations=50_000, clients=10, seconds=60.0).write()
    size = write_timeline(directory).stat().st_size
    assert size < 50_000 * PAGE_BYTES_PER_OPERATION
