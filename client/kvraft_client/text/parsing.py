"""From text to conditions and actions; an error points at the character."""

from functools import cache
from importlib.resources import files
from typing import Any, NoReturn

from kvraft_client import actions, conditions
from kvraft_client.actions import Action
from kvraft_client.conditions import All, AnyOf, Clause, Condition, Not, Operator, Scalar, Target
from kvraft_client.errors import InvalidRequest
from kvraft_client.text.literals import UnknownEscapeError, unquote

try:
    from lark import Lark, Token, UnexpectedInput
    from lark.exceptions import UnexpectedEOF
except ImportError as error:  # pragma: no cover - the plain client goes without
    raise ImportError("the text form needs a parser: pip install 'kvraft[text]'") from error

Node = Any
"""A tree or a token of lark: which one, and how many below it, the grammar says."""

MAX_CHARACTERS = 65_536
"""Longer texts are refused before they are parsed: a condition holds at most 256 clauses."""
SHOWN_CHARACTERS = 60
"""Of the text on each side of a mistake."""
MAX_NESTING = 64
"""Brackets in brackets; the store allows 8 levels of conditions and 64 of JSON."""

_OPERATORS = {
    "=": Operator.EQ,
    "==": Operator.EQ,
    "!=": Operator.NE,
    "<": Operator.LT,
    "<=": Operator.LE,
    ">": Operator.GT,
    ">=": Operator.GE,
}
_TARGETS = {
    "version": Target.VERSION,
    "create_revision": Target.CREATE_REVISION,
    "mod_revision": Target.MOD_REVISION,
    "lease_id": Target.LEASE_ID,
    "count": Target.COUNT,
    "fence": Target.FENCE,
}

_NOT_OF_KEYS = ("count", "fence")
"""What counts the keys of a prefix, or asks for a lock, never means the key at hand."""


class TextError(InvalidRequest):
    """The text is no condition (or action); `position` is that of the character to blame."""

    def __init__(self, problem: str, text: str, position: int) -> None:
        start = max(0, position - SHOWN_CHARACTERS)
        shown = text[start : position + SHOWN_CHARACTERS]
        line = "".join(char if char.isprintable() else " " for char in shown)
        super().__init__(f"{problem}\n  {line}\n  {' ' * (position - start)}^")
        self.position = position


def parse_condition(text: str, key: bytes | None = None) -> Condition:
    """Return the condition; targets that name no key mean `key`. TextError points at a mistake."""
    return _Reading(text, key).condition(_tree(text, "condition").children[0])


def parse_action(text: str) -> Action:
    """Return the action. TextError points at a mistake."""
    return _Reading(text, None).action(_tree(text, "action").children[0])


@cache
def _parser() -> Lark:
    grammar = files("kvraft_client.text").joinpath("grammar.lark").read_text()
    return Lark(grammar, parser="lalr", start=["condition", "action"], propagate_positions=True)


def _tree(text: str, start: str) -> Node:
    if not text.strip():
        raise TextError(f"an empty {start}", text or " ", 0)
    if len(text) > MAX_CHARACTERS:
        problem = f"the {start} is {len(text)} characters long, at most {MAX_CHARACTERS}"
        raise TextError(problem, text, MAX_CHARACTERS)
    try:
        return _parser().parse(text, start=start)
    except UnexpectedEOF as error:
        raise TextError(f"the {start} ends too early", text, len(text)) from error
    except UnexpectedInput as error:
        position = error.pos_in_stream
        assert position is not None
        if getattr(getattr(error, "token", None), "type", "") == "$END":
            raise TextError(f"the {start} ends too early", text, len(text)) from error
        word = text[position : position + 20].split()
        problem = f"{word[0] if word else 'this'!r} cannot stand here"
        if text.startswith(('"', 'b"'), position) and '"' not in text[position:].partition('"')[2]:
            problem = "a string that is not closed"
        raise TextError(problem, text, position) from error


class _Reading:
    """One text on its way to values."""

    def __init__(self, text: str, key: bytes | None) -> None:
        self._text = text
        self._key = key

    def _fail(self, problem: str, at: Node) -> NoReturn:
        position = at.start_pos if isinstance(at, Token) else at.meta.start_pos
        raise TextError(problem, self._text, position or 0)

    # -- conditions

    def condition(self, tree: Node, depth: int = 0) -> Condition:  # noqa: PLR0911 - one line a rule
        if depth > MAX_NESTING:
            self._fail(f"more than {MAX_NESTING} levels of and, or, not", tree)
        parts = tree.children
        match tree.data:
            case "all":
                return All(tuple(self.condition(each, depth + 1) for each in parts))
            case "any":
                return AnyOf(tuple(self.condition(each, depth + 1) for each in parts))
            case "not":
                return Not(self.condition(parts[0], depth + 1))
            case "exists":
                key, pointer = self._place(parts[0], tree)
                return Clause(key, Target.EXISTS, Operator.EQ, (True,), pointer)
            case "compared":
                return self._clause(tree, _OPERATORS[parts[2]], parts[3:])
            case "among":
                return self._clause(tree, Operator.IN, parts[2:])
            case "between":
                return self._clause(tree, Operator.BETWEEN, parts[2:])
            case _:
                return self._clause(tree, Operator.BEGINS_WITH, parts[2:])

    def _clause(self, tree: Node, operator: Operator, literals: list[Node]) -> Clause:
        word = tree.children[0]
        key, pointer = self._place(tree.children[1], tree, names_other=word in _NOT_OF_KEYS)
        operands = tuple(self._scalar(each) for each in literals)
        has_pointer = self._has_pointer(tree.children[1])
        if word != "value":
            if has_pointer:
                self._fail(f"only value and exists take a pointer, not {word}", tree)
            self._demand(int, operands, literals, f"{word} is compared with integers")
            if word == "fence" and operator not in (Operator.EQ, Operator.NE):
                self._fail("fence is compared with = or != only", tree)
            return Clause(key, _TARGETS[word], operator, operands)
        if has_pointer:
            texts = tuple(
                self._text_of(each, at) if isinstance(each, bytes) else each
                for each, at in zip(operands, literals, strict=True)
            )
            return Clause(key, Target.JSON, operator, texts, pointer)
        kind = bytes if isinstance(operands[0], bytes) else int
        problem = "a value without a pointer is compared with integers or with strings"
        self._demand(kind, operands, literals, problem)
        if operator is Operator.BEGINS_WITH and kind is int:
            self._fail("a value begins with a string", literals[0])
        return Clause(key, Target.VALUE if kind is bytes else Target.NUMBER, operator, operands)

    def _demand(
        self,
        kind: type,
        operands: tuple[Scalar, ...],
        literals: list[Node],
        problem: str,
    ) -> None:
        for operand, literal in zip(operands, literals, strict=True):
            if type(operand) is not kind:
                self._fail(problem, literal)

    def _place(self, place: Node, clause: Node, *, names_other: bool = False) -> tuple[bytes, str]:
        key, pointer = self._key, ""
        for part in place.children:
            if part.data == "key":
                key = self._string(part.children[0])
            else:
                pointer = self._pointer(part)
        if key is None or (names_other and not self._has_key(place)):
            word = clause.children[0] if isinstance(clause.children[0], Token) else "exists"
            self._fail(f'say of what: {word}("...")', clause)
        return key, pointer

    @staticmethod
    def _has_key(place: Node) -> bool:
        return any(part.data == "key" for part in place.children)

    @staticmethod
    def _has_pointer(place: Node) -> bool:
        return any(part.data == "pointer" for part in place.children)

    # -- actions

    def action(self, tree: Node) -> Action:  # noqa: PLR0911 - one line for each rule
        parts = tree.children
        match tree.data:
            case "set":
                return self._set(tree)
            case "add" | "subtract":
                return self._add(tree)
            case "append":
                return actions.append(self._string(parts[0]))
            case "set_if_absent":
                return actions.set_if_absent(self._string(parts[0]))
            case "min":
                return actions.min(self._integer(parts[0]))
            case "max":
                return actions.max(self._integer(parts[0]))
            case "remove":
                return actions.json_remove(self._pointer(parts[0]))
            case _:
                return actions.delete()

    def _set(self, tree: Node) -> Action:
        *before, given = tree.children
        if before:
            return actions.json_set(self._pointer(before[0]), self._json(given))
        if given.data == "string":
            return actions.set(self._string(given.children[0]))
        if given.data != "integer":
            self._fail("a value without a pointer is set to a string or an integer", given)
        return actions.set(str(self._integer(given.children[0])))

    def _add(self, tree: Node) -> Action:
        *before, token = tree.children
        sign = -1 if tree.data == "subtract" else 1
        if token.type == "FLOAT":
            if not before:
                self._fail("a value without a pointer is an integer", token)
            return actions.json_add(self._pointer(before[0]), sign * float(token))
        delta = self._integer(token, sign)
        return actions.json_add(self._pointer(before[0]), delta) if before else actions.add(delta)

    # -- literals

    def _scalar(self, tree: Node) -> Scalar:
        match tree.data:
            case "string":
                return self._string(tree.children[0])
            case "integer":
                return self._integer(tree.children[0])
            case "float":
                return float(tree.children[0])
            case "null":
                return None
            case _:
                return bool(tree.data == "true")

    def _json(self, tree: Node, depth: int = 0) -> object:
        if depth > MAX_NESTING:
            self._fail(f"more than {MAX_NESTING} brackets in brackets", tree)
        if tree.data == "array":
            return [self._json(each, depth + 1) for each in tree.children if each is not None]
        if tree.data == "object":
            members = [each.children for each in tree.children if each is not None]
            return {
                self._text_of(self._string(name), name): self._json(given, depth + 1)
                for name, given in members
            }
        given = self._scalar(tree)
        return self._text_of(given, tree) if isinstance(given, bytes) else given

    def _integer(self, token: Node, sign: int = 1) -> int:
        given = sign * int(token[:40])
        if len(token) > 20 or not conditions.INT64_MIN <= given <= conditions.INT64_MAX:
            self._fail("this does not fit int64", token)
        return given

    def _string(self, token: Node) -> bytes:
        try:
            return unquote(token)
        except UnknownEscapeError as error:
            self._fail(str(error), token)

    def _text_of(self, given: bytes, at: Node) -> str:
        try:
            return given.decode()
        except UnicodeDecodeError:
            self._fail("a JSON string is UTF-8", at)

    def _pointer(self, tree: Node) -> str:
        token = tree.children[0]
        pointer = (
            token[1:] if token.type == "POINTER" else self._text_of(self._string(token), token)
        )
        if pointer and not pointer.startswith("/"):
            self._fail('a JSON pointer begins with "/"', token)
        if "~" in pointer.replace("~0", "").replace("~1", ""):
            self._fail("in a JSON pointer ~ stands only in ~0 and ~1", token)
        return pointer
