"""timeline.html in a real browser: it draws, zooms, filters and shows the contradiction."""

import json

import pytest
from unit.chaos import browser
from unit.chaos.report_samples import Sample
from unit.chaos.test_report_timeline import recorded

from kvraft_chaos.history import load
from kvraft_chaos.report import write_timeline

BINARY = browser.find()
pytestmark = [
    pytest.mark.skipif(BINARY is None, reason="no browser found (Debian: apt install chromium)"),
    pytest.mark.slow,
]
PAINT_MS = 200.0
"""Of a whole run of 50,000 operations, on a busy machine; alone it takes some 20."""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser.page(BINARY, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(autouse=True)
def _nothing_to_complain_of(page):
    page.complaints.clear()
    page.requests.clear()
    yield
    page.tell("0")  # what was said before this answer has been heard
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith("file:")] == []


def sample(tmp_path, **given):
    return write_timeline(Sample(tmp_path, **given).write())


def span(page):
    return int(page.drawn["to"]) - int(page.drawn["from"])


def painted(page, before):
    """The state of the page when it is no longer that."""
    page.until(f"document.body.dataset.from !== '{before['from']}'"
               f" || document.body.dataset.to !== '{before['to']}'"
               f" || document.body.dataset.selected !== '{before['selected']}'"
               f" || document.body.dataset.drawn !== '{before['drawn']}'")  # fmt: skip
    return page.drawn


def press(page, key):
    before = page.drawn
    page.press(key)
    return painted(page, before)


def test_a_valid_run(page, tmp_path):
    page.open(sample(tmp_path, operations=300, faults=3))
    drawn = page.drawn
    assert (drawn["operations"], drawn["lanes"], drawn["faults"]) == ("300", "6", "3")
    assert (drawn["nodes"], drawn["guilty"]) == ("3", "0")
    assert int(drawn["drawn"]) > 100
    assert page.tell("document.getElementById('verdict').innerText") == "✓ valid"
    assert page.tell("document.getElementById('contradiction').hidden") is True
    assert page.tell("document.querySelectorAll('.finding.valid').length") == 3


def test_the_contradiction_is_shown_with_the_order_before_it(page, tmp_path):
    directory = Sample(tmp_path, operations=300, invalid=True).write()
    page.open(write_timeline(directory))
    assert page.tell("document.getElementById('verdict').innerText") == "✕ invalid"
    assert page.drawn["guilty"] == "1"
    assert int(page.drawn["order"]) > 10
    assert page.tell("document.querySelectorAll('.guilty button').length") == 1
    words = page.tell("document.querySelector('.steps:not(.guilty)').innerText")
    assert words.startswith(str(int(page.drawn["order"]) - 11))
    seen = press(page, "c")
    begin = load(directory.history)[0].time_ns
    finding = json.loads(directory.verdict.read_text())["findings"][1]
    for index in (*finding["contradiction"], *finding["prefix"][-3:]):
        at = (load(directory.history)[index].time_ns - begin) // 1_000
        assert int(seen["from"]) < at < int(seen["to"])
    assert span(page) < 3_000_000
    assert page.tell("document.getElementById('key').value") == "k1"


def test_the_contradiction_is_painted_in_its_colour(page, tmp_path):
    page.open(sample(tmp_path, operations=60, clients=3, seconds=0.5, invalid=True))
    press(page, "c")
    found = """(() => {
      const canvas = document.getElementById("timeline");
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      let count = 0;
      for (let at = 0; at < pixels.length; at += 4)
        count += pixels[at] === 0xc4 && pixels[at + 1] === 0x12 && pixels[at + 2] === 0x2f;
      return count;
    })()"""
    assert page.tell(found) > 200


def test_wheel_keys_and_drag_zoom_and_move(page, tmp_path):
    page.open(sample(tmp_path, operations=300))
    whole = page.drawn
    page.mouse("mouseWheel", 500, 400, deltaX=0, deltaY=-400)
    nearer = painted(page, whole)
    assert int(nearer["to"]) - int(nearer["from"]) < (int(whole["to"]) - int(whole["from"])) * 0.8
    assert int(nearer["drawn"]) < int(whole["drawn"])
    closer = press(page, "+")
    right = press(page, "ArrowRight")
    assert int(right["from"]) > int(closer["from"])
    page.mouse("mousePressed", 400, 400, button="left", clickCount=1)
    page.mouse("mouseMoved", 500, 400, button="left", buttons=1)
    page.mouse("mouseReleased", 500, 400, button="left", clickCount=1)
    dragged = painted(page, right)
    assert int(dragged["from"]) < int(right["from"])
    assert span(page) == pytest.approx(int(right["to"]) - int(right["from"]), abs=2)
    fitted = press(page, "0")
    assert (fitted["from"], fitted["to"]) == (whole["from"], whole["to"])


def test_two_fingers_zoom(page, tmp_path):
    page.open(sample(tmp_path, operations=300), width=390, height=844)
    whole = page.drawn
    assert page.tell("document.documentElement.scrollWidth <= 390") is True
    middle = page.tell("document.getElementById('scroller').getBoundingClientRect().top") + 200

    def touch(kind, *places):
        points = [{"x": x, "y": middle, "id": number} for number, x in enumerate(places)]
        page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    touch("touchStart", 180, 260)
    for apart in range(5, 65, 5):
        touch("touchMove", 180 - apart, 260 + apart)
    touch("touchEnd")
    painted(page, whole)
    assert span(page) < (int(whole["to"]) - int(whole["from"])) * 0.7


def test_the_overview_moves_the_view(page, tmp_path):
    page.open(sample(tmp_path, operations=300))
    for _ in range(4):
        before = press(page, "+")
    page.mouse("mousePressed", 800, 130, button="left", clickCount=1)
    page.mouse("mouseReleased", 800, 130, button="left", clickCount=1)
    assert int(painted(page, before)["from"]) > int(before["to"])


def test_an_address_shows_a_place(page, tmp_path):
    path = sample(tmp_path, operations=300)
    page.open(path, fragment="#t=2.5-3.5&key=k2")
    assert (page.drawn["from"], page.drawn["to"]) == ("2500000", "3500000")
    assert page.tell("document.getElementById('key').value") == "k2"
    press(page, "ArrowRight")
    page.until("location.hash !== '#t=2.5-3.5&key=k2'")
    assert page.tell("location.hash").startswith("#t=2.65")


def test_filters_leave_shadows_of_the_rest(page, tmp_path):
    page.open(sample(tmp_path, operations=300))
    before = page.drawn
    page.tell("document.querySelector('#outcomes button').click()")
    after = painted(page, before)
    assert int(after["drawn"]) < int(before["drawn"]) / 4
    assert page.tell("document.querySelector('#outcomes button').ariaPressed") == "false"


def test_an_operation_is_told_under_the_pointer_and_by_keys(page, tmp_path):
    page.open(sample(tmp_path, operations=60, clients=2, seconds=0.4, unknown=0.0))
    drawn = press(page, "]")
    assert int(drawn["selected"]) >= 0
    assert "k" in page.tell("document.getElementById('spoken').innerText")
    facts = page.tell("document.getElementById('selected').innerText")
    assert "process 1 at n2" in facts
    assert "event 0" in facts
    press(page, "Enter")
    left, top = page.tell("""(() => {
      const frame = document.getElementById("timeline").getBoundingClientRect();
      return [frame.left, frame.top];
    })()""")
    for y in range(int(top) + 40, int(top) + 320, 8):
        page.mouse("mouseMoved", left + 510, y)
        told = page.tell("document.getElementById('tip').innerText")
        if "process" in told:
            break
    assert "process 1 at n2" in told
    assert press(page, "Escape")["selected"] == "-1"


def test_names_of_a_run_are_text(page, tmp_path):
    nasty = "<img src=x onerror=document.body.remove()>"
    directory = recorded(tmp_path, (0, "invoke", nasty, {"key": nasty, "value": nasty}))
    directory.verdict.write_text(
        '{"verdict": "invalid", "workload": "%s", "command": "%s", "findings": [{"checker": "%s",'
        ' "verdict": "invalid", "sentence": "%s", "key": "%s", "contradiction": [0]}]}'
        % ((nasty,) * 5)
    )
    page.open(write_timeline(directory))
    page.press("]")
    page.until("document.body.dataset.selected === '0'")
    assert page.tell("document.images.length") == 0
    assert nasty in page.tell("document.getElementById('title').innerText")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_to_show_is_shown(page, tmp_path, scheme):
    page.open(write_timeline(recorded(tmp_path)), scheme=scheme)
    assert (page.drawn["operations"], page.drawn["lanes"]) == ("0", "0")
    assert page.tell("document.getElementById('verdict').innerText") == "not judged"


def test_unknown_operations_reach_beyond_their_end(page, tmp_path):
    sample_path = sample(tmp_path, operations=12, clients=1, seconds=2.0, unknown=1.0, faults=0)
    page.open(sample_path)
    assert page.drawn["lanes"] == "1", "a client is a lane, however often its process retires"
    page.tell("document.getElementById('lanes').value = 'apart'")
    page.tell("document.getElementById('lanes').dispatchEvent(new Event('change'))")
    page.until("document.body.dataset.lanes === '12'")


def test_fifty_thousand_operations_are_drawn_smoothly(page, tmp_path):
    page.open(sample(tmp_path, operations=50_000, clients=10, seconds=60.0, invalid=True))
    assert page.drawn["operations"] == "50000"
    assert int(page.drawn["drawn"]) < 20_000, "one bar a pixel is enough"
    keys = ("+", "-", "+", "ArrowRight", "-")
    times = [float(press(page, key)["paintMs"]) for key in keys]
    assert sorted(times)[2] < PAINT_MS
    assert page.tell("document.querySelectorAll('*').length") < 2_000
