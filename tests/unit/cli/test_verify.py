"""verify: three verdicts, three statuses, and one clear line for what cannot be judged."""

import json

import pytest
from typer.testing import CliRunner

from kvraft.cli.app import app
from kvraft_chaos.history import Recorder


def verify(*arguments):
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


@pytest.fixture
def written(tmp_path):
    """Write calls down, each with the process that made it; the file."""

    def write(*calls):
        file = tmp_path / "history.jsonl"
        with Recorder(file) as recorder:
            for process, kind, f, key, value in calls:
                recorder.record(process, kind, f, key=key, value=value)
        return file

    return write


def did(process, f, key, argument, result):
    return [(process, "invoke", f, key, argument), (process, "ok", f, key, result)]


FRESH = [
    *did(0, "put", "seat", {"value": "free"}, {}),
    *did(0, "put", "seat", {"value": "ann"}, {}),
    *did(1, "get", "seat", None, {"value": "ann"}),
]
STALE = [*FRESH[:4], *did(1, "get", "seat", None, {"value": "free"})]
OPEN = did(0, "open", None, {"balances": {"ann": 10}}, None)
PAID = did(0, "transfer", None, {"from": "ann", "to": "bob", "amount": 7}, None)


def test_what_the_model_has_no_word_for_is_named(written):
    """A misspelt operation must not pass for a judged one."""
    file = written(*FRESH, *did(1, "gett", "seat", None, {"value": "free"}))

    told = verify(file, "--model", "register")
    assert told.exit_code == 0
    assert "not judged: 1 of 'gett', which is no word of a register" in told.stdout
    as_json = json.loads(verify(file, "--model", "register", "--json").stdout)
    assert as_json["not_judged"] == {"gett": 1}
    assert "not judged" not in verify(written(*FRESH), "--model", "register").stdout


def count(ann, bob):
    return did(1, "read", None, None, {"balances": {"ann": ann, "bob": bob}})


HELD = [
    *did(0, "acquire", "job", None, {"token": 1}),
    *did(0, "release", "job", None, None),
    *did(1, "acquire", "job", None, {"token": 2}),
    *did(1, "release", "job", None, None),
]
NEVER_HELD = [(0, kind, "acquire", "job", None) for kind in ("invoke", "info")]
HELD_TWICE = [
    *did(0, "acquire", "job", None, {"token": 1}),
    *did(1, "acquire", "job", None, {"token": 2}),
    *did(0, "release", "job", None, None),
    *did(1, "release", "job", None, None),
]


@pytest.mark.parametrize(
    ("model", "calls", "status", "words"),
    [
        ("register", FRESH, 0, "valid: 3 operations on 1 keys"),
        ("register", STALE, 1, 'then get -> {"value": "free"} (process 1, events 4 to 5) fits'),
        ("bank", [*OPEN, *PAID, *count(3, 7)], 0, "valid: 3 operations"),
        ("bank", [*OPEN, *PAID, *count(10, 0)], 1, "it holds ann: 3, bob: 7; then read -> "),
        ("bank", [*OPEN, *PAID, *PAID], 1, "fits nowhere"),
        ("lock", HELD, 0, "2 holds of 1 locks, never two of one at a time"),
        ("lock", HELD_TWICE, 1, ": token 1 (event 1) and token 2 (event 3)"),
        ("lock", [*HELD[:4], *did(1, "acquire", "job", None, {"token": 1})], 1, "given twice"),
        ("lock", NEVER_HELD, 2, "nobody held a lock"),
    ],
)
def test_each_verdict_has_its_status_and_its_words(written, model, calls, status, words):
    file = written(*calls)

    result = verify(file, "--model", model)
    assert result.exit_code == status, result.output
    assert words in result.stdout

    told = json.loads(verify(file, "--model", model, "--json").stdout)
    assert told["verdict"] == ["valid", "invalid", "unknown"][status]
    assert told["model"] == model
    assert any(words in each["sentence"] for each in told["findings"])


def test_locks_need_no_tokens(written):
    calls = [(who, kind, f, key, None) for who, kind, f, key, _ in HELD_TWICE]

    assert verify(written(*calls), "--model", "lock").exit_code == 1
    calls = [(who, kind, f, key, None) for who, kind, f, key, _ in HELD]
    assert verify(written(*calls), "--model", "lock").exit_code == 0


def test_a_hold_that_was_not_released_may_have_ended(written):
    """A worker that was paused for longer than its lease: its release failed, and that is right."""
    calls = [each for each in HELD_TWICE if each[:3] != (0, "ok", "release")]
    calls.append((0, "fail", "release", "job", None))

    assert verify(written(*calls), "--model", "lock").exit_code == 0


GOOD = '{"index":0,"time_ns":1,"process":0,"type":"invoke","f":"get","key":"k"}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD[:-9], "history.jsonl:1: truncated: the last line has no end"),
        (GOOD.replace("invoke", "begin"), "history.jsonl:1: unknown event type 'begin'"),
        (GOOD.replace('"k"', "5"), "history.jsonl:1: key must be a string, not 5"),
        ("[]\n", "history.jsonl:1: an event is an object, not list"),
        ("", "no event is of a register"),
        (GOOD.replace("get", "pay"), "no event is of a register: it says cas, delete, get, put"),
        (GOOD.replace("get", "put"), "this is no history of a register"),
        (GOOD.replace("invoke", "ok"), "event 0: process 0 completes get k, which is not open"),
        ("\udcff\n", "history.jsonl: not UTF-8"),
        ("[" * 100_000 + "\n", "history.jsonl:1: not JSON"),
        (None, "No such file or directory"),
    ],
)
def test_what_is_no_history_is_one_clear_line(tmp_path, text, words):
    file = tmp_path / "history.jsonl"
    if text is not None:
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
    result = verify(file, "--model", "register")

    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("kvraft: error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


@pytest.mark.parametrize("value", ["7", '{"from":"a"}', '{"balances":{"a":"much"}}'])
@pytest.mark.parametrize("f", ["open", "transfer", "read"])
def test_malformed_words_of_a_bank_are_one_clear_line(tmp_path, f, value):
    file = tmp_path / "history.jsonl"
    event = '{"index":%d,"time_ns":1,"process":0,"type":"%s","f":"%s","value":%s}\n'
    file.write_text(event % (0, "invoke", f, value) + event % (1, "ok", f, value))
    result = verify(file, "--model", "bank")

    assert result.stderr.count("\n") == (result.exit_code == 3)
    assert result.exit_code in (0, 1, 3)


@pytest.mark.parametrize("arguments", [("x.jsonl",), ("x.jsonl", "--model", "queue"), ()])
def test_what_is_no_command_is_no_verdict(arguments):
    result = verify(*arguments)

    assert result.exit_code == 3
    assert result.stderr.startswith("kvraft: error: ")
