"""The sums convict updates that were lost, or done twice."""

from collections import Counter

import pytest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import KeyIdentity, Request, Update
from kvraft_chaos.simulation import tallies
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.tallies import COUNTERS, DOCUMENT, HIGHEST, WORDS

ADD = Update(COUNTERS[0], (Action(ActionKind.ADD, 1),))
NAMED = Request(ADD, identity=KeyIdentity(b"x"))
JSON = Update(DOCUMENT, (Action(ActionKind.JSON_ADD, 1, "/sum"),))
MAX = Update(HIGHEST, (Action(ActionKind.MAX, 7),))
WORD = Update(WORDS, (Action(ActionKind.APPEND, b";5"),))


def judged(done, unknown, **values):
    reported = []
    account = Account(Chronicle(lambda *_: None, lambda: 0.0, []))
    account.effective, account.unknown = Counter(done), Counter(unknown)
    keys = {"count": COUNTERS[0], "document": DOCUMENT, "highest": HIGHEST, "words": WORDS}
    live = {keys[name]: (value, 2, 2, 1, 0) for name, value in values.items()}
    tallies.judge(account, live, lambda kind, _: reported.append(kind))
    return reported


@pytest.mark.parametrize(
    ("done", "unknown", "values", "found"),
    [
        ({ADD: 2}, {}, {"count": b"2"}, []),
        ({ADD: 2}, {ADD: 1}, {"count": b"3"}, []),
        ({ADD: 2}, {}, {"count": b"1"}, ["wrong-sum"]),
        ({ADD: 2}, {}, {}, ["wrong-sum"]),
        ({ADD: 2}, {ADD: 1}, {"count": b"4"}, ["wrong-sum"]),
        ({NAMED: 3}, {}, {"count": b"1"}, []),
        ({NAMED: 3}, {}, {"count": b"3"}, ["wrong-sum"]),
        ({JSON: 1}, {}, {"document": b'{"sum":1}'}, []),
        ({JSON: 1}, {}, {"document": b'{"sum":2}'}, ["wrong-sum"]),
        ({MAX: 1}, {}, {"highest": b"7"}, []),
        ({MAX: 1}, {}, {"highest": b"6"}, ["wrong-highest"]),
        ({WORD: 1}, {}, {"words": b";5"}, []),
        ({WORD: 1}, {}, {"words": b";5;5"}, ["wrong-words"]),
        ({}, {WORD: 1}, {"words": b";5"}, []),
        ({}, {WORD: 1}, {}, []),
        ({}, {}, {"words": b";5"}, ["wrong-words"]),
        ({WORD: 1}, {}, {}, ["wrong-words"]),
    ],
)
def test_what_updates_add_up_to(done, unknown, values, found):
    assert judged(done, unknown, **values) == found
