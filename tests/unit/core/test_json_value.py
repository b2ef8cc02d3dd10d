"""JSON values: RFC 6901's own examples, bounded parsing, and bytes that come back the same."""

import json
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.core.json_pointer import Place, find, pointer_fault, put, remove
from kvraft.core.json_value import JsonBudget, Unreadable, encode, nested_deeper, parse

NOT_JSON = Unreadable.NOT_JSON

# RFC 6901, section 5.
DOCUMENT = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}
RFC_6901 = [
    ("", DOCUMENT),
    ("/foo", ["bar", "baz"]),
    ("/foo/0", "bar"),
    ("/", 0),
    ("/a~1b", 1),
    ("/c%d", 2),
    ("/e^f", 3),
    ("/g|h", 4),
    ("/i\\j", 5),
    ('/k"l', 6),
    ("/ ", 7),
    ("/m~0n", 8),
]
MISSING_PLACES = [
    "/nothing",
    "/foo/2",
    "/foo/-",
    "/foo/-1",
    "/foo/00",
    "/foo/01",
    "/foo/+1",
    "/foo/1e0",
    "/foo/\u0661",  # an Arabic digit
    "/foo/0/deeper",
    "/foo/99999999999999999999",
    "/foo/" + "9" * 5_000,
    "/foo/",
    "/a/b",
    "//",
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**19) + 1, 10**19 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()))  # with lone surrogates
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@pytest.mark.parametrize(("pointer", "value"), RFC_6901)
def test_the_examples_of_rfc_6901(pointer, value):
    assert pointer_fault(pointer) is None
    assert find(DOCUMENT, pointer) == value


@pytest.mark.parametrize("pointer", MISSING_PLACES)
def test_a_missing_place(pointer):
    assert find(DOCUMENT, pointer) is Place.MISSING


def test_escapes_are_undone_once():
    assert find({"~1": 1, "/": 2}, "/~01") == 1


@pytest.mark.parametrize("pointer", ["foo", "~0", "/~", "/~2", "/a~/b", "/~0~"])
def test_what_is_no_pointer(pointer):
    assert pointer_fault(pointer)


@pytest.mark.parametrize(
    ("document", "pointer", "after"),
    [
        ({"a": 1}, "", 5),
        (Place.MISSING, "", 5),
        (Place.MISSING, "/a", {"a": 5}),
        (Place.MISSING, "/a/b", Place.MISSING),
        ({"z": 1, "a": 2}, "/z", {"z": 5, "a": 2}),
        ({}, "/a~1b", {"a/b": 5}),
        ([1, 2], "/1", [1, 5]),
        ([1, 2], "/-", [1, 2, 5]),
        ([1, 2], "/2", Place.MISSING),
        ({"a": 1}, "/a/b", Place.MISSING),
        ("text", "/0", Place.MISSING),
        (None, "/a", Place.MISSING),
    ],
)
def test_put(document, pointer, after):
    assert put(document, pointer, 5) == after


@pytest.mark.parametrize(
    ("document", "pointer", "removed", "after"),
    [
        ({"a": 1, "b": 2}, "/a", True, {"b": 2}),
        ({"a": None}, "/a", True, {}),
        ({"a": 1}, "/b", False, {"a": 1}),
        ({"a": 1}, "/a/b", False, {"a": 1}),
        ([1, 2, 3], "/0", True, [2, 3]),
        ([1], "/1", False, [1]),
        ([1], "/-", False, [1]),
        ({"a": [{"b~": 1}]}, "/a/0/b~0", True, {"a": [{}]}),
        (5, "/a", False, 5),
    ],
)
def test_remove(document, pointer, removed, after):
    assert remove(document, pointer) is removed
    assert document == after


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"650 75",
        b"[1,]",
        b"{'a':1}",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"-1e309",
        b"1e+000999",
        b"1" * 1_000_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 65 + b"]" * 65,
        b"\xef\xbb\xbf1",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '"a"'.encode("utf-16"),
        b'"\n"',
        b"01",
        b"\\[",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_json(data):
    assert parse(data) is NOT_JSON


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b" 5\n", 5),
        (b"-0", 0),
        (b"9223372036854775808", 1 << 63),
        (b"9" * 19, 10**19 - 1),
        (b"-" + b"9" * 19, 1 - 10**19),
        (b"10000000000000000000", 1e19),
        (b"9" * 300, float("9" * 300)),
        (b"0." + b"1" * 5_000, 1 / 9),
        (b"1E2", 100.0),
        (b"1e-999", 0.0),
        (b"[1e100, 1]", [1e100, 1]),
        (b"[1e100, -" + b"9" * 19 + b"]", [1e100, 1 - 10**19]),
        (b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
        (b'"1e999 NaN ' + b"1" * 30 + b'"', "1e999 NaN " + "1" * 30),
        (b"[" * 64 + b"]" * 64, None),
        (b'["' + b"[" * 100 + b'"]', ["[" * 100]),
        (rb'["\\", "\"' + b"[" * 100 + b'"]', ["\\", '"' + "[" * 100]),
    ],
    ids=lambda part: repr(part)[:16],
)
def test_what_is_json(data, value):
    parsed = parse(data)
    assert parsed is not NOT_JSON
    if value is not None:
        assert parsed == value
        assert type(parsed) is type(value)


def test_the_setting_for_long_integers_changes_nothing():
    setting = sys.get_int_max_str_digits()
    try:
        for digits in (0, 640, 4_300):
            sys.set_int_max_str_digits(digits)
            assert parse(b"9" * 300) == float("9" * 300)
            assert parse(b"[" + b"9" * 5_000 + b"]") is NOT_JSON
    finally:
        sys.set_int_max_str_digits(setting)


def test_of_repeated_members_the_last_counts_at_the_place_of_the_first():
    assert encode(parse(b'{ "a" : 1, "b" : 2, "a" : 3 }')) == b'{"a":3,"b":2}'


@pytest.mark.parametrize(
    ("data", "written"),
    [
        ('{"b": 1, "a": [1.0, true, null]}', '{"b":1,"a":[1.0,true,null]}'),
        (r'"\u00e9\/\u2028"', '"é/\u2028"'),
        (r'["\ud800", "é"]', r'["\ud800","\u00e9"]'),
        (r'"\ud83d\ude00"', '"😀"'),
        ("1e2", "100.0"),
        ("123456789012345678901", "1.2345678901234568e+20"),
    ],
)
def test_writing_back(data, written):
    assert encode(parse(data.encode())) == written.encode()


@given(documents)
def test_what_is_written_is_read_back_and_written_the_same(document):
    data = encode(document)
    parsed = parse(data)
    assert parsed == document
    assert encode(parsed) == data
    assert parse(json.dumps(document).encode()) == document


def depth_of(document):
    if isinstance(document, dict):
        document = list(document.values())
    return 1 + max(map(depth_of, document), default=0) if isinstance(document, list) else 0


@given(st.recursive(st.text('[]{}"\\a'), lambda inner: st.lists(inner, max_size=3), max_leaves=30))
def test_depth_is_measured_outside_of_strings(document):
    depth = depth_of(document)
    data = json.dumps(document).encode()
    assert not nested_deeper(data, depth)
    assert depth == 0 or nested_deeper(data, depth - 1)


@given(st.text('[]{}"\\,:1 ', max_size=300).map(str.encode))
def test_what_the_scanner_would_go_into_is_measured(data):
    deepest = 0

    class Watched(json.JSONDecoder):
        """Python's own scanner, in Python, which shows how deep it goes."""

        def __init__(self):
            super().__init__()
            parse_array, parse_object = self.parse_array, self.parse_object
            depth = 0

            def watched(parse_group):
                def parse(*arguments):
                    nonlocal depth, deepest
                    depth += 1
                    deepest = max(deepest, depth)
                    try:
                        return parse_group(*arguments)
                    finally:
                        depth -= 1

                return parse

            self.parse_array, self.parse_object = watched(parse_array), watched(parse_object)
            self.scan_once = json.scanner.py_make_scanner(self)

    with suppress(ValueError):
        Watched().decode(data.decode())
    assert deepest == 0 or nested_deeper(data, deepest - 1)


def test_a_value_is_parsed_once_and_the_budget_bounds_the_rest():
    budget = JsonBudget(10)
    document = budget.read(b"[1,2,3]")
    assert document == [1, 2, 3]
    assert budget.read(b"[1,2,3]") is document
    assert budget.read(b"[1,2]") is Unreadable.OVER_BUDGET
    assert budget.read(b"[1]") == [1]  # what is too large took nothing
    assert budget.read(b"1") is Unreadable.OVER_BUDGET


def test_what_is_taken_to_be_changed_is_nobody_elses():
    budget = JsonBudget(100)
    taken = budget.take(b"[1]")
    taken.append(2)
    assert budget.read(b"[1]") == [1]
    again = budget.take(b"[1]")
    assert again == [1]
    again.append(3)
    assert budget.take(b"[1]") == [1]


def test_what_is_no_json_costs_once():
    budget = JsonBudget(5)
    assert budget.read(b"[[[[[") is NOT_JSON
    assert budget.read(b"[[[[[") is NOT_JSON
