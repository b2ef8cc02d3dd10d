"""Reads the log lines of Jepsen's etcd histories (one CAS register, initially nil)."""

import re

from kvraft_chaos.history import Event

LINE = re.compile(r"(\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)")
NAMES = {"read": "get", "write": "put", "cas": "cas"}


def events(text):
    """Our events. A failed cas is an answer there: the value was another one."""
    found = []
    for line in text.splitlines():
        match = LINE.search(line)
        if match is None:
            continue
        process, kind, f, value = match.groups()
        words = value.strip("[]").split()
        payload = None
        if kind == "invoke" and f == "write":
            payload = {"value": words[0]}
        elif kind == "invoke" and f == "cas":
            payload = {"expect": {"value": words[0]}, "value": words[1]}
        elif f == "cas" and kind in ("ok", "fail"):
            payload = {"succeeded": kind == "ok"}
            kind = "ok"
        elif f == "read" and kind == "ok":
            payload = {"value": None if words[0] == "nil" else words[0]}
        found.append(Event(len(found), len(found), int(process), kind, NAMES[f], None, payload))
    return found
