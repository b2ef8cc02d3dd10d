"""watch: lines, JSON, resumption, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import grpc
from fake_answers import deny

from kvraft.v1 import watch_pb2


def nothing(request, context):
    """Let the stream begin."""


GONE = deny(grpc.StatusCode.OUT_OF_RANGE, "COMPACTED", message="kept no more", oldest_revision=9)


def until(node, events):
    """Let a watch end with an error after so many events: by itself it never ends."""
    node.cut_after = events
    node.script["Watch"] = [nothing, nothing, GONE]


def test_changes_as_json(kvraft, node):
    kvraft("put", "k", "a")
    kvraft("put", "k", "b")
    kvraft("put", "other", "c")
    kvraft("delete", "k")
    until(node, 4)
    result = kvraft("watch", "k", "--from-revision", "2", "--previous", "-o", "json")
    first, second, third = map(json.loads, result.stdout.splitlines())

    assert first == {
        "type": "put",
        "cause": "request",
        "key": "k",
        "value": "a",
        "mod_revision": 2,
        "previous": None,
    }
    assert (second["value"], second["previous"]["value"]) == ("b", "a")
    assert (third["type"], third["mod_revision"], third["previous"]["value"]) == ("delete", 5, "b")
    assert "value" not in third
    assert result.exit_code == 1
    assert result.stderr.startswith("watching from revision 2\nkvraft: error: kept no more")


def test_changes_for_people(kvraft, node):
    with node.store.lock:
        node.store.put(b"p/1", b"\x1b[31m")
        node.store.put(b"p/1", b"b")
        node.store.put(b"q", b"")
        node.store.events[1].cause = watch_pb2.CAUSE_EXPIRED
    until(node, 3)
    result = kvraft("watch", "--prefix", "p/", "--from-revision", "1", "--previous")

    assert result.stdout.splitlines() == [
        r"2 put p/1 \x1b[31m",
        r"3 put p/1 b (expired) (was \x1b[31m)",
    ]
    assert node.named("Watch")[1].previous


def test_a_broken_stream_is_resumed_without_gap_or_repeat(kvraft, node):
    for value in "abcd":
        kvraft("put", "k", value)
    node.cut_after = 2
    node.script["Watch"] = [nothing, nothing, nothing, GONE]

    def cut_again(request, context):
        node.cut_after = 2

    node.script["Watch"][2] = cut_again
    result = kvraft("watch", "k", "--from-revision", "2", "-o", "json")

    assert [json.loads(line)["value"] for line in result.stdout.splitlines()] == list("abcd")


def test_where_nobody_answers_it_ends(kvraft, free_endpoint):
    result = kvraft("watch", "k", "--endpoints", free_endpoint, "--timeout", "0.2")

    assert result.exit_code == 1
    assert result.stderr.startswith("kvraft: error: ")
    assert result.stdout == ""


@contextmanager
def watching(node, *words):
    surroundings = {**os.environ, "KVRAFT_ENDPOINTS": node.endpoint}
    surroundings.pop("PYTHONUNBUFFERED", None)  # it would flush for us
    with subprocess.Popen(
        [sys.executable, "-m", "kvraft", "watch", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=surroundings,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_each_line_is_there_at_once_and_ctrl_c_ends_it_with_status_0(kvraft, node):
    with watching(node, "k", "-o", "json") as process:
        assert process.stderr.readline() == "watching from revision 2\n"
        for value in ("a", "b"):
            kvraft("put", "k", value)
            assert json.loads(process.stdout.readline())["value"] == value
        process.send_signal(signal.SIGINT)

        assert process.wait(5) == 0
        assert process.stdout.read() == process.stderr.read() == ""


SWALLOWED = """
import os, signal, sys, time
from kvraft.cli import watch
from kvraft.cli.main import main

def show(event, **_):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    except BaseException:
        print("swallowed", flush=True)

watch._show = show
sys.argv = ["kvraft", "watch", "k", "--from-revision", "1"]
main()
"""


def test_ctrl_c_ends_it_where_an_exception_would_be_swallowed(kvraft, node):
    """As in a finalizer: gRPC's then waits for ever for a call that nobody follows."""
    kvraft("put", "k", "a")
    run = subprocess.run(
        [sys.executable, "-c", SWALLOWED], capture_output=True, text=True, timeout=20, check=False,
        env={**os.environ, "KVRAFT_ENDPOINTS": node.endpoint},
    )  # fmt: skip

    assert (run.returncode, run.stdout) == (0, "")


def test_a_reader_that_goes_ends_it_quietly(kvraft, node):
    with watching(node, "k") as process:
        process.stderr.readline()
        process.stdout.close()
        kvraft("put", "k", "a")

        assert process.wait(5) == 1
        assert process.stderr.read() == ""
