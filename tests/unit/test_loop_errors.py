"""What reaches the loop: a vital part that failed ends the node, a conversation does not."""

import logging

import pytest
from grpc._cython import cygrpc

from kvraft.loop_errors import GRPC_LOGGER, ends_the_node, quiet_about_clients


def raised_in(module: str, error: BaseException) -> BaseException:
    """Return `error` with the traceback of a module of this name."""
    names = {"__name__": module, "error": error}
    exec("def fail():\n    raise error", names)
    with pytest.raises(type(error)) as caught:
        names["fail"]()
    return caught.value


@pytest.mark.parametrize(
    ("module", "error", "ends"),
    [
        ("kvraft.replica.batcher", ValueError("x"), True),
        ("kvraft.driver", AssertionError("x"), True),
        ("kvraft.storage.writer", KeyError("x"), True),
        ("kvraft.consensus.tcp", ConnectionResetError("x"), False),
        ("kvraft.service.kv", ValueError("x"), False),
        ("kvraft.driverless", ValueError("x"), False),
        ("grpc.aio._server", RuntimeError("x"), False),
        ("kvraft.replica.batcher", SystemExit(1), False),
    ],
)
def test_who_ends_the_node(module, error, ends):
    assert ends_the_node(raised_in(module, error)) is ends


def test_a_message_without_an_exception_does_not():
    assert not ends_the_node(None)


def test_a_client_that_has_gone_is_no_line_in_the_log(caplog):
    logger = logging.getLogger(GRPC_LOGGER)
    before = list(logger.filters)
    quiet_about_clients()
    try:
        with caplog.at_level(logging.ERROR, GRPC_LOGGER):
            logger.error("ExecuteBatchError raised in core by servicer method [%s]", "/Status")
            logger.error("Unexpected [%s] raised by servicer method [%s]", "KeyError", "/Status")
    finally:
        logger.filters[:] = before

    assert [each.getMessage() for each in caplog.records] == [
        "Unexpected [KeyError] raised by servicer method [/Status]"
    ]


def test_it_is_grpcs_own_logger_that_is_filtered():
    assert cygrpc._LOGGER.name == GRPC_LOGGER
