"""Money goes to and fro between two accounts; a transfer that is asked for again is done once."""

import os

from kvraft_client import Client
from kvraft_client.recipes import Accounts

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")

with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/bank/")
    accounts = Accounts(kv, "example/bank")
    accounts.open("ann", 100)
    accounts.open("bob")
    print("paid:", accounts.transfer("rent-11", payer="ann", payee="bob", amount=70))
    print("asked again:", accounts.transfer("rent-11", payer="ann", payee="bob", amount=70))
    print("has not so much:", accounts.transfer("rent-12", payer="ann", payee="bob", amount=70))
    print("back:", accounts.transfer("refund-11", payer="bob", payee="ann", amount=20))
    print("ann has", accounts.balance("ann"), "and bob", accounts.balance("bob"))
