"""get, put, delete, cas, list: output, JSON, exit status."""

import json

import grpc
import pytest
from fake_node import deny


def entry(key="k", value="v", **more):
    shown = {
        "key": key,
        "value": value,
        "version": 1,
        "mod_revision": 2,
        "create_revision": 2,
        "lease_id": 0,
    }
    return shown | more


def write(node, key, value):
    with node.store.lock:
        return node.store.put(key, value)


def test_put_and_get_as_json(kvraft):
    put = kvraft("put", "k", "v", "-o", "json")
    got = kvraft("-o", "json", "get", "k")

    assert (put.exit_code, json.loads(put.stdout)) == (0, entry())
    assert (got.exit_code, json.loads(got.stdout)) == (0, entry())
    assert put.stderr == got.stderr == ""


def test_put_and_get_for_people(kvraft):
    put = kvraft("put", "k", "v")

    assert put.exit_code == 0
    assert put.stdout == kvraft("get", "k").stdout
    assert "mod_revision" in put.stdout
    assert "\x1b" not in put.stdout


def test_get_of_an_absent_key_is_a_false_condition(kvraft):
    table, program = kvraft("get", "none"), kvraft("get", "none", "-o", "json")

    assert (table.exit_code, table.stdout) == (2, "")
    assert table.stderr == "kvraft: no key 'none'\n"
    assert (program.exit_code, json.loads(program.stdout)) == (2, None)


def test_raw_bytes_go_in_by_stdin_and_come_out_as_they_are(kvraft):
    data = b"\x00\xff\r\nline\n"
    put = kvraft("put", "k", "-", "-o", "json", stdin=data)

    assert json.loads(put.stdout)["value_base64"] == "AP8NCmxpbmUK"
    assert kvraft("get", "k", "--raw").stdout_bytes == data


def test_what_is_not_utf8_is_base64(kvraft, node):
    write(node, b"\xff", b"\xfe")

    (shown,) = json.loads(kvraft("list", "-o", "json").stdout)["entries"]

    assert (shown["key_base64"], shown["value_base64"]) == ("/w==", "/g==")
    assert "key" not in shown
    assert "value" not in shown


def test_a_value_cannot_drive_the_terminal(kvraft, node):
    write(node, b"k", b"\x1b[31mred [bold]x")

    shown = kvraft("get", "k").stdout

    assert "\x1b" not in shown
    assert r"\x1b[31mred [bold]x" in shown


def test_an_omitted_value_is_told(kvraft, node):
    write(node, b"k", b"").value_omitted = True

    assert json.loads(kvraft("get", "k", "-o", "json").stdout)["value_omitted"] is True
    assert "(omitted)" in kvraft("get", "k").stdout


@pytest.mark.parametrize(
    ("condition", "sent"),
    [
        (["--expect-absent"], {"absent": True}),
        (["--expect-value", ""], {"value": b""}),
        (["--expect-revision", "7"], {"mod_revision": 7}),
        (["--expect-version", "0"], {"version": 0}),
        (["--expect-version", "1", "--expect-value", "v"], {"version": 1, "value": b"v"}),
    ],
)
def test_cas_conditions(kvraft, node, condition, sent):
    kvraft("cas", "k", "w", *condition)

    (request,) = node.named("CompareAndSet")
    fields = {field.name: value for field, value in request.expect.ListFields()}

    assert {name: getattr(request.expect, name) for name in fields} == sent
    assert all(request.expect.HasField(name) for name in sent)


def test_cas_swaps_or_does_not(kvraft):
    done = kvraft("cas", "k", "v", "--expect-absent", "-o", "json")
    refused = kvraft("cas", "k", "w", "--expect-absent", "-o", "json")
    absent = kvraft("cas", "none", "w", "--expect-value", "x", "-o", "json")

    assert (done.exit_code, json.loads(done.stdout)) == (0, {"swapped": True, "entry": entry()})
    assert refused.exit_code == 2
    assert json.loads(refused.stdout) == {"swapped": False, "entry": entry()}
    assert json.loads(absent.stdout) == {"swapped": False, "entry": None}
    assert absent.exit_code == 2


def test_cas_for_people(kvraft):
    assert "swapped" in kvraft("cas", "k", "v", "--expect-absent").stdout

    refused = kvraft("cas", "k", "w", "--expect-absent")

    assert refused.exit_code == 2
    assert refused.stderr == "not swapped; it is now:\n"
    assert kvraft("cas", "no", "w", "--expect-version", "1").stderr == "not swapped; it is absent\n"


def test_cas_without_a_condition_is_a_usage_error_with_status_1(kvraft, node):
    result = kvraft("cas", "k", "v")

    assert result.exit_code == 1
    assert "--expect-value" in result.stderr
    assert node.calls == []


def test_what_a_put_attaches(kvraft, node):
    kvraft("put", "k", "v", "--ttl", "1.5")
    kvraft("put", "k", "v", "--lease", "9")
    kvraft("put", "k", "v", "--keep-lease")

    ttl, lease, keep = node.named("Put")

    assert (ttl.ttl_ms, lease.lease_id, keep.keep_lease) == (1_500, 9, True)


def test_delete_counts(kvraft):
    for key in ("a/1", "a/2", "b"):
        kvraft("put", key, "v")

    assert json.loads(kvraft("delete", "b", "-o", "json").stdout) == {"deleted": 1}
    assert kvraft("delete", "--prefix", "a/").stdout == "deleted 2 keys\n"

    again = kvraft("delete", "b")

    assert (again.exit_code, again.stdout) == (0, "deleted 0 keys\n")


def test_list_by_prefix_in_pages_with_a_limit(kvraft):
    for number in range(5):
        kvraft("put", f"p/{number}", "v")
    kvraft("put", "q", "v")

    def keys(*options):
        shown = json.loads(kvraft("list", *options, "-o", "json").stdout)
        return [each["key"] for each in shown["entries"]]

    assert keys() == ["p/0", "p/1", "p/2", "p/3", "p/4", "q"]
    assert keys("p/") == ["p/0", "p/1", "p/2", "p/3", "p/4"]
    assert keys("p/", "--limit", "4") == ["p/0", "p/1", "p/2", "p/3"]
    assert kvraft("list", "--keys-only", "q").stdout == "q\n"
    assert json.loads(kvraft("list", "none", "-o", "json").stdout) == {"entries": []}


def test_a_definite_error_is_one_line_and_status_1(kvraft, node):
    node.script["Put"] = [deny(grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND", message="no lease 9")]

    result = kvraft("put", "k", "v", "--lease", "9")

    assert result.exit_code == 1
    assert result.stderr.startswith("kvraft: error: no lease 9")
    assert result.stderr.count("\n") == 1


def test_what_stood_at_a_revision(kvraft):
    for value in ("a", "b"):
        kvraft("put", "k", value)

    assert json.loads(kvraft("get", "k", "--revision", "2", "-o", "json").stdout)["value"] == "a"
    (listed,) = json.loads(kvraft("list", "--revision", "2", "-o", "json").stdout)["entries"]
    assert listed["value"] == "a"

    before = kvraft("get", "k", "--revision", "1")
    assert (before.exit_code, before.stderr) == (2, "kvraft: no key 'k' at revision 1\n")


def test_a_revision_that_is_kept_no_more_is_an_error(kvraft, node):
    node.store.compacted = 5
    result = kvraft("get", "k", "--revision", "2")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "COMPACTED" in result.stderr
