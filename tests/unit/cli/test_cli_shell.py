"""The command as a whole: options, help, errors, what it imports."""

import json
import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kvraft.cli import app as cli
from kvraft.cli.options import Format, Settings, merged


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def commands(command, path=()):
    """Every command that does something, with the words that reach it."""
    context = command.make_context("kvraft", [], resilient_parsing=True)
    names = command.list_commands(context) if hasattr(command, "list_commands") else []
    for name in names:
        yield from commands(command.get_command(context, name), (*path, name))
    if not names:
        yield path, command


def every_command():
    found = dict(commands(get_command(cli.app)))
    return {path: each for path, each in found.items() if path[0] != "serve"}


EVERY = every_command()
NO_CLIENTS = {"cluster", "drill", "chaos", "verify"}
"""They make a cluster of their own, or none, and ask nothing of another."""


def test_all_commands_of_the_design_are_there():
    client = {path for path in EVERY if path[0] not in NO_CLIENTS}

    assert client == {
        ("get",),
        ("put",),
        ("delete",),
        ("update",),
        ("cas",),
        ("txn",),
        ("list",),
        ("watch",),
        ("outcome",),
        ("lock",),
        ("locks",),
        ("guard", "set"),
        ("guard", "list"),
        ("guard", "remove"),
        ("contention",),
        ("bench",),
        ("lease", "grant"),
        ("lease", "keepalive"),
        ("lease", "revoke"),
        ("lease", "show"),
        ("lease", "list"),
        ("invariant", "set"),
        ("invariant", "list"),
        ("invariant", "remove"),
        ("status",),
        ("hash",),
        ("transfer",),
        ("snapshot", "save"),
    }


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_shows_an_example_of_itself(path):
    result = CliRunner().invoke(cli.app, [*path, "--help"])

    assert result.exit_code == 0
    assert f"xample: kvraft {' '.join(path)}" in result.stdout


@pytest.mark.parametrize(
    "path", [path for path in EVERY if path[0] not in NO_CLIENTS], ids=" ".join
)
def test_every_client_command_takes_the_shared_options(path):
    names = {name for each in EVERY[path].params for name in each.opts}

    assert names >= {"--endpoints", "--output", "-o", "--timeout", "--ca", "--cert", "--key"}


def test_help_without_arguments():
    result = CliRunner().invoke(cli.app, [])

    assert result.exit_code == 0
    assert "--install-completion" in result.stdout
    for name in ("serve", "cluster", "cas", "snapshot"):
        assert name in result.stdout
    assert "2 condition false, 3 outcome unknown" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["get"], "Missing argument 'KEY'"),
        (["get", "k", "--bogus"], "No such option"),
        (["get", "k", "-o", "xml"], "'xml'"),
        (["put", "k", "v", "--ttl", "soon"], "'--ttl'"),
        (["put", "k", "v", "--ttl", "-1"], "positive number of seconds"),
        (["lease"], "Missing command"),
        (["get", "k", "--endpoints", "nowhere"], "'nowhere' is not HOST:PORT"),
        (["get", "k", "--timeout", "0"], "'--timeout'"),
        (["get", ""], "the key is empty"),
        (["update", "k"], "Missing option '--set'"),
        (["update", "", "--set", "delete"], "the key is empty"),
        (["txn"], "give --then OPERATION or --else OPERATION"),
        (["txn", "--then", "get"], "'get' is not one of: get KEY (quote what has spaces)"),
        (["txn", "--else", "frob k"], "--else: 'frob k' is not one of: get KEY, list PREFIX, put"),
        (["txn", "--then", "put k 'v"], "no closing quotation"),
        (["watch"], "give KEY or --prefix P"),
        (["watch", "k", "--prefix", "p"], "give KEY or --prefix P"),
        (["watch", ""], "the key is empty"),
        (["outcome"], "give --idempotency-key K, or --session ID and --sequence N"),
        (["outcome", "--session", "1"], "--sequence N"),
        (["outcome", "--session", "1", "--sequence", "1", "--idempotency-key", "k"], "give"),
        (["put", "k", "v", "--idempotency-key", ""], "1 to 128 bytes, not 0"),
        (["invariant", "set", "k"], "give --min, --max or --immutable"),
        (["invariant", "set", "--min", "1"], "give KEY or --prefix P"),
        (["invariant", "remove"], "give KEY or --prefix P"),
        (["get", "k", "--ca", "/none.pem"], "cannot read ca /none.pem"),
        (["get", "k", "--cert", "/none.pem"], "both cert and key"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_status_1(kvraft, arguments, text):
    result = kvraft(*arguments)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(r"kvraft: error: [^\n]+\n", result.stderr)
    assert text in result.stderr


def test_options_behind_the_command_lead():
    before = Settings("a:1", Format.JSON, 3.0)

    assert merged(before, Settings(endpoints="b:1")) == Settings("b:1", Format.JSON, 3.0)
    assert merged(None, Settings("b:1")) == Settings("b:1")


def test_endpoints_from_option_then_environment_then_default(node, monkeypatch):
    monkeypatch.setenv("KVRAFT_ENDPOINTS", "env:1")
    with Settings("opt:1").client() as kv:
        assert kv._caller.config.endpoints == ("opt:1",)
    with Settings().client() as kv:
        assert kv._caller.config.endpoints == ("env:1",)
    monkeypatch.delenv("KVRAFT_ENDPOINTS")
    with Settings(timeout=2.0).client() as kv:
        assert kv._caller.config.endpoints == ("127.0.0.1:4379", "127.0.0.1:4389", "127.0.0.1:4399")
        assert kv._caller.config.timeout_s == 2.0


def test_an_interrupt_and_a_bug():
    def interrupt():
        raise KeyboardInterrupt

    assert cli.exit_status(interrupt) == 130
    with pytest.raises(ZeroDivisionError):
        cli.exit_status(lambda: 1 / 0)


def test_an_output_that_nobody_reads_any_more_ends_quietly(node):
    """As in `kvraft list --keys-only | head -1`."""
    with node.store.lock:
        node.store.put(b"k", b"v")
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", "kvraft", "list", "--keys-only"],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "KVRAFT_ENDPOINTS": node.endpoint},
    )  # fmt: skip
    os.close(writing)

    assert (run.returncode, run.stderr) == (1, "")


def test_a_client_command_loads_no_server_code(node):
    code = (
        "import sys\n"
        "from kvraft.cli.main import main\n"
        "sys.argv = ['kvraft', 'put', 'k', 'v', '-o', 'json']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "bad = ('kvraft.core', 'kvraft.storage', 'kvraft.consensus', 'kvraft.replica',"
        " 'kvraft.service', 'kvraft.server', 'pysyncobj', 'sortedcontainers', 'rich', 'lark')\n"
        "print([name for name in sys.modules if name.startswith(bad)])"
    )
    result = python(code, KVRAFT_ENDPOINTS=node.endpoint)

    assert result.stderr == ""
    assert result.stdout.splitlines()[-1] == "[]"
    assert json.loads(result.stdout.splitlines()[0])["value"] == "v"


def test_serve_loads_neither_typer_nor_rich_nor_the_client():
    code = (
        "import sys\n"
        "from kvraft.cli.main import main\n"
        "sys.argv = ['kvraft', 'serve', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name in ('typer', 'rich', 'kvraft_client')])"
    )
    result = python(code)

    assert result.stderr == ""
    assert "kvraft serve" in result.stdout
    assert result.stdout.splitlines()[-1] == "[]"


def test_without_typer_there_is_one_clear_line():
    code = (
        "import sys\n"
        "sys.modules['typer'] = None\n"
        "from kvraft.cli.main import main\n"
        "sys.argv = ['kvraft', 'get', 'k']\n"
        "main()"
    )
    result = python(code)

    assert result.returncode == 1
    assert (
        result.stderr == "kvraft: error: the command line needs typer: pip install 'kvraft[cli]'\n"
    )


def test_the_shell_is_completed():
    result = python(
        "import sys\nfrom kvraft.cli.main import main\nsys.argv = ['kvraft']\nmain()",
        _KVRAFT_COMPLETE="complete_bash",
        COMP_WORDS="kvraft sna",
        COMP_CWORD="1",
    )

    assert result.stdout.strip() == "snapshot"
