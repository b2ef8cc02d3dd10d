"""`faults.jsonl`: what is written is read, and what is none is named with its line."""

import json

import pytest

from kvraft_chaos.history import HistoryError
from kvraft_chaos.run.directory import Mark
from kvraft_chaos.run.marks import Marks, load_marks


def test_what_is_written_is_read_and_told(tmp_path):
    path, heard = tmp_path / "faults.jsonl", []
    with Marks(path, heard.append, now_ns=lambda: 7) as marks:
        marks.add("strike", "kill", stroke=3, detail="n1", nodes=("n1",))
        marks.write(Mark(8, "leader", "n2", nodes=("n2",), value=4))
        assert len(load_marks(path)) == 2  # not only when it is closed

    assert heard == load_marks(path)
    assert heard[0] == Mark(7, "strike", "kill", 3, "n1", ("n1",))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"time_ns":1,"type":"phase","name":"setup"}', "truncated"),
        ("phase setup\n", "not JSON"),
        ("[]\n", "no mark"),
        ('{"time_ns":1,"type":"phase","name":"setup","colour":"red"}\n', "no mark"),
        ('{"time_ns":1,"type":"blow","name":"kill"}\n', "unknown type of mark 'blow'"),
        ('{"time_ns":"1","type":"phase","name":"setup"}\n', "a mark has a time_ns and a name"),
        ("[" * 100_000 + "\n", "not JSON"),
        ('{"time_ns":1,"type":"heal","name":"kill","nodes":"n1"}\n', "nodes: names are needed"),
        ('{"time_ns":1,"type":"heal","name":"kill","nodes":[7]}\n', "nodes: names are needed"),
        ('{"time_ns":1,"type":"heal","name":"kill","stroke":"0"}\n', "stroke: a number is needed"),
        ('{"time_ns":1,"type":"heal","name":"kill","detail":7}\n', "detail: a text is needed"),
        ('{"time_ns":1,"type":"leader","name":"n1","value":"one"}\n', "a leader has a term"),
        ('{"time_ns":1,"type":"recovered","name":"","value":7}\n', "recovered has leader_ms"),
        ('{"time_ns":1,"type":"recovered","name":"","value":{}}\n', "recovered has leader_ms"),
    ],
)
def test_what_is_no_mark_is_named(tmp_path, line, what):
    path = tmp_path / "faults.jsonl"
    path.write_text(json.dumps({"time_ns": 0, "type": "phase", "name": "setup"}) + "\n" + line)

    with pytest.raises(HistoryError, match=f"faults.jsonl:2: {what}"):
        load_marks(path)
