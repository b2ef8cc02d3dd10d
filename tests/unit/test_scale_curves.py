"""Scale curves: rows that can be read back, the model's arithmetic, pictures and page."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plots
from benchmarks.processor_time import Used, process_s
from benchmarks.report import save, spread
from benchmarks.scale_model import (
    Cost,
    fit,
    growth,
    model,
    puts_an_entry,
    us_a_kib,
    us_an_event,
    whole_us,
)
from benchmarks.scale_page import BEGIN, END
from benchmarks.scale_points import AXES, Point, Round, points, worded

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"
PAGE = f"# Title\n\nbefore\n\n{BEGIN}\nold figures\n{END}\n\nafter\n"


def point(axis="callers", x=64, *, own=100.0, entry=4_000.0, rate=2_000.0, events=0):
    """Its cost is half the leader's (its loop: a third), a quarter the client's, an eighth each
    follower's."""
    per_entry = puts_an_entry(x if axis == "callers" else 64)
    us = own + entry / per_entry
    rates = spread([rate, rate * 0.9, rate * 1.2])
    leader, loop, follower, client = (round(us / each, 1) for each in (2, 3, 8, 4))
    return Point(axis, x, rates, 12.34, leader, loop, follower, client, per_entry, events)


def recorded(file, found, *, quick=False, more=()):
    save([*(each.row() for each in found), *more], file, quick=quick, loads={"scale": 0.5})
    return file


def curves():
    callers = [point(x=x) for x in (1, 4, 16, 64, 256, 1_024)]
    sizes = (16, 4 << 10, 64 << 10, 1 << 20)
    values = [point("bytes a value", x, own=x / 10, rate=2e7 / (x + 1e4)) for x in sizes]
    watchers = [point("watchers", x, own=40.0 * x, events=x * 2_000) for x in (0, 10)]
    return [*callers, *values, *watchers]


def test_a_point_is_the_median_of_each_figure():
    rounds = [
        Round(100, 1.0, 3.0, 10, Used(0.02, 0.01, 0.005, 0.003)),
        Round(200, 1.0, 1.0, 10, Used(0.02, 0.01, 0.005, 0.003)),
        Round(400, 1.0, 2.0, 10, Used(0.02, 0.01, 0.005, 0.003)),
    ]

    found = Point.of("callers", 64, rounds, events=7.6)

    assert (found.rate.low, found.rate.median, found.rate.high) == (100, 200, 400)
    assert found.p50_ms == 2.0
    costs = found.leader_us, found.loop_us, found.follower_us, found.client_us
    assert costs == pytest.approx((100, 50, 25, 15))
    assert (found.per_entry, found.events) == (20, 8)


@pytest.mark.parametrize("axis", AXES)
def test_a_row_is_read_back_as_the_point_it_was(axis, tmp_path):
    given = [point(axis, 1), point(axis, 256, events=1_234)]

    read = points(json.loads(recorded(tmp_path / "a.json", given).read_text()))

    assert read == {**{each: [] for each in AXES}, axis: given}


def test_the_fit_finds_the_cost_of_a_put_and_of_an_entry():
    curve = [point(x=x, own=90.0, entry=5_000.0) for x in (1, 4, 16, 64)]

    found = model([*curve, point(x=256, own=999.0, rate=3_000.0)], cores=2)

    assert found.all.own == pytest.approx(90, rel=0.02)
    assert found.all.entry == pytest.approx(5_000, rel=0.02)
    assert found.worst < 0.01
    assert found.predicted == pytest.approx(2e6 / (90 + 5_000 / 128), rel=0.02)
    assert found.measured == 3_000.0


def test_a_dear_point_that_is_off_does_not_bend_the_cheap_end():
    cheap = [point(x=x) for x in (4, 16, 64)]
    dear = point(x=1, own=900.0)

    found = fit([dear, *cheap], whole_us)

    assert found.us(puts_an_entry(64)) == pytest.approx(whole_us(cheap[-1]), rel=0.05)


def test_one_python_thread_bounds_the_prediction_where_there_are_cores():
    curve = [point(x=x, own=90.0, entry=5_000.0) for x in (1, 4, 16, 64, 256)]

    few, many = model(curve, cores=2), model(curve, cores=64)

    assert few.predicted < few.leader_bound == many.predicted
    assert many.leader_bound == pytest.approx(3e6 / (90 + 5_000 / 128), rel=0.02)
    assert many.leader_most == pytest.approx(3e6 / (90 + 5_000 / 256), rel=0.02)


@pytest.mark.parametrize(("rate", "first"), [(7_000.0, "the 2 cores"), (2_000.0, "")])
def test_what_is_used_up_first(rate, first):
    curve = [point(x=x) for x in (1, 16)]

    assert model([*curve, point(x=256, own=220.0, rate=rate)], cores=2).first == first


@pytest.mark.parametrize("xs", [(), (1, 256), (1, 2, 256), (1, 4, 16)])
def test_a_curve_that_shows_too_little_has_no_model(xs):
    assert model([point(x=x) for x in xs], cores=2) is None


def test_an_entry_is_half_of_the_callers_up_to_the_limit():
    assert [puts_an_entry(x) for x in (1, 64, 512, 1_024)] == [1, 32, 256, 256]
    assert Cost(100, 6_400).us(64) == 200


def test_what_a_kib_and_an_event_cost():
    small, large = point("bytes a value", 16), point("bytes a value", 16 + 64 * 1024, own=6_500.0)
    alone = point("watchers", 0, rate=1_000.0)
    watched = point("watchers", 100, own=340.0, rate=500.0, events=2_500)

    assert us_a_kib([small, large]) == pytest.approx(100, rel=0.01)
    assert us_an_event([alone, watched]) == pytest.approx(240 * 3 / 4 / 5, rel=0.01)
    assert growth([small, large]) == pytest.approx(6_625 / 225, rel=0.01)


def test_pictures_have_a_curve_for_each_process_and_all_labels(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(PAGE)

    files = plots.write(json.loads(recorded(tmp_path / "a.json", curves()).read_text()), page)

    assert len(files) == 3
    for file in files:
        root = ET.parse(file).getroot()
        lines = [each for each in root.iter(f"{SVG}path") if each.get("stroke-width") == "1.6"]
        assert len(lines) == 5  # puts a second, and four processes
        places = [float(n) for each in lines for n in each.get("d").replace("M", "").replace(
            "L", " ").split()]  # fmt: skip
        assert all(40 <= y <= 300 for y in places[1::2]), places
    words = {each.text for each in ET.parse(files[0]).getroot().iter(f"{SVG}text")}
    assert {"16 B", "4 KiB", "64 KiB", "1 MiB", "leader", "its loop"} <= words


def test_the_page_is_written_anew_between_its_marks(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    content = json.loads(recorded(tmp_path / "a.json", curves()).read_text())

    plots.write(content, page)
    once = page.read_text()
    plots.write(content, page)

    assert page.read_text() == once
    assert once.startswith(f"# Title\n\nbefore\n\n{BEGIN}\n")
    assert once.endswith(f"\n{END}\n\nafter\n")
    assert "old figures" not in once
    assert "| 256 | 2,000 (1,800 to 2,400) | 12.3 |" in once
    assert "![Puts by callers](performance/scale_callers.svg)" in once
    assert "| 10 | 2,000 (1,800 to 2,400)" in once
    assert "| 20,000 |" in once  # events a second
    assert "puts/s predicted, 2,000 measured**" in once
    assert "- A KiB of a value costs all processes 102 us." in once
    assert "- An event to a watcher costs the nodes 30 us." in once


def test_leases_are_told_with_their_goals(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    file = recorded(tmp_path / "a.json", curves())
    content = json.loads(file.read_text())
    row = {"spread": asdict(spread([25.04])), "goals": {"median": 20.0}, "least": {}, "note": "n"}
    content["rows"].append({"name": "leader", "unit": "% of a core", "met": False, **row})
    row = {"spread": asdict(spread([20_000])), "goals": {}, "least": {"low": 20_000}, "note": ""}
    content["rows"].append({"name": "alive", "unit": "leases", "met": True, **row})

    plots.write(content, page)

    assert "- leader: 25.0 % of a core, at most 20: MISSED (n)\n" in page.read_text()
    assert "- alive: 20,000 leases, at least 20,000: met\n" in page.read_text()


def test_a_page_without_marks_is_left_as_it_is(tmp_path, capsys):
    page = tmp_path / "performance.md"
    page.write_text("# Title\n")

    assert plots.main([str(recorded(tmp_path / "a.json", curves())), "--page", str(page)]) == 1

    assert "MarkError" in capsys.readouterr().err
    assert page.read_text() == "# Title\n"
    assert not (tmp_path / "performance").exists()


def test_a_quick_run_is_not_for_a_page(tmp_path, capsys):
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    file = recorded(tmp_path / "a.json", curves(), quick=True)

    assert plots.main([str(file), "--page", str(page)]) == 1

    assert "--quick" in capsys.readouterr().err
    assert page.read_text() == PAGE


def test_the_page_of_the_docs_has_the_marks():
    text = (ROOT / "docs/performance.md").read_text()

    assert text.index(BEGIN) < text.index(END)


def test_numbers_are_worded_for_people():
    sizes = [16, 1_000, 4 << 10, 1 << 20, 2_000_000]

    assert [worded(point("bytes a value", x)) for x in sizes] == [
        "16 B", "1000 B", "4 KiB", "1 MiB", "2000000 B",
    ]  # fmt: skip
    assert worded(point("keys", 2_000_000)) == "2,000,000"


def test_processor_time_is_that_of_the_process():
    before, own = process_s(os.getpid()), time.process_time()

    sum(range(300_000))

    used = process_s(os.getpid()) - before
    assert used == pytest.approx(time.process_time() - own, rel=0.2)
    assert Used(4, 3, 2, 1).share_of(2) == Used(2, 1.5, 1, 0.5)
    assert Used(4, 3, 2, 1) - Used(1, 1, 1, 1) == Used(3, 2, 1, 0)
