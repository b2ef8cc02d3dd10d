"""latency.svg and rate.svg: well-formed for any history, bounded, with the faults in them."""

import json
from xml.etree import ElementTree as ET

import pytest
from unit.chaos.report_samples import BEGIN, MS, Sample
from unit.chaos.test_report_timeline import recorded

from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.report import write_plots
from kvraft_chaos.report.evidence import Stroke
from kvraft_chaos.report.families import OTHER, family_of
from kvraft_chaos.report.frame import BAND_ROWS_MAX, nice_step, stacked

SVG = "{http://www.w3.org/2000/svg}"
BYTES_MAX = 300_000
"""GitHub shows it in a page that a phone loads too."""


def drawn(directory):
    write_plots(directory)
    return [ET.parse(path).getroot() for path in (directory.latency, directory.rate)]


def texts(root):
    return [each.text for each in root.iter(f"{SVG}text")]


def test_both_plots_show_faults_and_leaders(tmp_path):
    for root in drawn(Sample(tmp_path, operations=800, faults=3).write()):
        assert {"isolate-leader", "one-way-in", "kill"} <= set(texts(root))
        assert "n1 leads" in texts(root)
        bands = [each for each in root.iter(f"{SVG}rect") if each.get("opacity") == "0.1"]
        assert len(bands) == 3


def test_every_outcome_is_in_both(tmp_path):
    for root in drawn(Sample(tmp_path, operations=800, unknown=0.05).write()):
        paths = {each.get("class").removesuffix("-line"): each for each in root.iter(f"{SVG}path")}
        for kind in ("ok", "fail", "info"):
            assert paths[kind].get("d")


def test_the_rate_counts_what_ended_in_each_second(tmp_path):
    directory = recorded(
        tmp_path,
        *(each for _ in range(500) for each in ((0, "invoke", "get", {}), (0, "ok", "get", {}))),
    )
    _, root = drawn(directory)  # 1 ms each: an operation every 2 ms
    assert "500" in texts(root)
    assert "1000" not in texts(root)


@pytest.mark.parametrize("marks", [False, True])
def test_an_empty_history_has_plots(tmp_path, marks):
    directory = recorded(tmp_path)
    if marks:
        strike = {"time_ns": BEGIN, "type": "strike", "name": "kill", "stroke": 0}
        directory.faults.write_text(json.dumps(strike) + "\n")
    for root in drawn(directory):
        assert texts(root)


def test_one_operation_and_no_answer(tmp_path):
    for root in drawn(recorded(tmp_path, (0, "invoke", "get", {"key": "a"}))):
        assert texts(root)


def test_names_of_a_run_cannot_break_the_picture(tmp_path):
    directory = recorded(tmp_path, *((0, kind, "get", {}) for kind in ("invoke", "ok")))
    name = "<b>&\u0001\ud800]]>"
    mark = {"time_ns": BEGIN, "type": "strike", "name": name, "stroke": 0}
    directory.faults.write_text(json.dumps(mark) + "\n")
    for root in drawn(directory):
        assert "<b>&\ufffd\ufffd]]>" in texts(root)


@pytest.mark.slow
def test_fifty_thousand_operations_make_small_pictures(tmp_path):
    directory = Sample(tmp_path, operations=50_000, clients=10, seconds=60.0).write()
    drawn(directory)
    assert directory.latency.stat().st_size < BYTES_MAX
    assert directory.rate.stat().st_size < BYTES_MAX


def test_faults_that_overlap_stand_in_rows_of_their_own():
    def stroke(start, end):
        return Stroke("kill", "process", start * MS, end and end * MS, "", ())

    first, second, third = stroke(0, 10), stroke(5, 15), stroke(10, None)
    assert stacked([first, second, third], 20 * MS) == [[first, third], [second]]
    assert len(stacked([stroke(0, 10)] * 9, 20 * MS)) == BAND_ROWS_MAX


@pytest.mark.parametrize(("span", "most", "step"), [(20, 10, 2), (0.9, 10, 0.1), (61, 10, 10)])
def test_steps_of_an_axis_are_round(span, most, step):
    assert nice_step(span, most) == pytest.approx(step)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_catalogue_has_a_family(fault):
    assert family_of(fault) != OTHER.name
