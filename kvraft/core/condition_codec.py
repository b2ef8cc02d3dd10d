"""Conditions and literals as bytes: a tag before each, the parts of a tree in reading order.

Imports: core only. The depth of a tree is bounded both ways: forged bytes must not cost the stack.
"""

from math import isfinite
from struct import Struct

from kvraft.core.binary import I64, U8, U16, U32, Reader, sized
from kvraft.core.conditions import All, AnyOf, Clause, Condition, Literal, Not, Operator, Target
from kvraft.core.errors import CodecError
from kvraft.core.limits import ENCODED_DEPTH

_F64 = Struct("<d")
_CLAUSE = Struct("<BBB")  # tag, target, operator

_NONE, _CLAUSE_TAG, _ALL, _ANY, _NOT = range(5)
_NULL, _FALSE, _TRUE, INTEGER, _FLOAT, _TEXT, _BYTES = range(7)


def encode_condition(condition: Condition | None) -> bytes:
    """Encode a condition, or that there is none; CodecError where it is too deep."""
    if condition is None:
        return U8.pack(_NONE)
    pieces: list[bytes] = []
    _encode(condition, ENCODED_DEPTH, pieces)
    return b"".join(pieces)


def read_condition(reader: Reader) -> Condition | None:
    """Read a condition, or that there is none."""
    tag = reader.number(U8)
    return None if tag == _NONE else _read(reader, tag, ENCODED_DEPTH)


def encode_literal(literal: Literal) -> bytes:
    """Encode a literal; CodecError for a float that is no number."""
    match literal:
        case None:
            return U8.pack(_NULL)
        case bool():
            return U8.pack(_TRUE if literal else _FALSE)
        case int():
            return U8.pack(INTEGER) + I64.pack(literal)
        case float():
            _demand_finite(literal)
            return U8.pack(_FLOAT) + _F64.pack(literal)
        case str():
            return U8.pack(_TEXT) + sized(U32, literal.encode())
        case _:
            return U8.pack(_BYTES) + sized(U32, literal)


def read_literal(reader: Reader) -> Literal:
    """Read a literal."""
    tag = reader.number(U8)
    if tag == _BYTES:
        return reader.sized(U32)
    if tag == INTEGER:
        return reader.number(I64)
    if tag == _TEXT:
        return reader.text(U32)
    if tag == _FLOAT:
        value: float = reader.unpack(_F64)[0]
        _demand_finite(value)
        return value
    if tag > _BYTES:
        raise CodecError(f"{reader.subject}: unknown literal {tag}")
    return None if tag == _NULL else tag == _TRUE


def _demand_finite(value: float) -> None:
    if not isfinite(value):
        raise CodecError(f"{value} is no number that JSON has")


def _encode(condition: Condition, depth: int, pieces: list[bytes]) -> None:
    if depth < 0:
        raise CodecError(f"a condition of more than {ENCODED_DEPTH} levels does not fit")
    match condition:
        case Clause():
            pieces.append(_encode_clause(condition))
        case Not():
            pieces.append(U8.pack(_NOT))
            _encode(condition.part, depth - 1, pieces)
        case _:
            tag = _ALL if isinstance(condition, All) else _ANY
            pieces.append(U8.pack(tag) + U16.pack(len(condition.parts)))
            for part in condition.parts:
                _encode(part, depth - 1, pieces)


def _encode_clause(clause: Clause) -> bytes:
    return b"".join(
        (
            _CLAUSE.pack(_CLAUSE_TAG, clause.target, clause.operator),
            sized(U16, clause.key),
            sized(U16, clause.pointer.encode()),
            U32.pack(len(clause.operands)),
            *map(encode_literal, clause.operands),
        )
    )


def _read(reader: Reader, tag: int, depth: int) -> Condition:
    if depth < 0:
        raise CodecError(f"{reader.subject}: a condition of more than {ENCODED_DEPTH} levels")
    if tag == _CLAUSE_TAG:
        return _read_clause(reader)
    if tag == _NOT:
        return Not(_read(reader, reader.number(U8), depth - 1))
    if tag not in {_ALL, _ANY}:
        raise CodecError(f"{reader.subject}: unknown condition {tag}")
    count = reader.number(U16)
    parts = tuple([_read(reader, reader.number(U8), depth - 1) for _ in range(count)])
    return All(parts) if tag == _ALL else AnyOf(parts)


def _read_clause(reader: Reader) -> Clause:
    target, operator = reader.number(U8), reader.number(U8)
    key, pointer = reader.sized(U16), reader.text(U16)
    operands = tuple([read_literal(reader) for _ in range(reader.number(U32))])
    try:
        return Clause(key, Target(target), Operator(operator), operands, pointer)
    except ValueError as error:
        raise CodecError(f"{reader.subject}: {error}") from error
