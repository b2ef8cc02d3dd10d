"""The source of both clients; `scripts/generate_sync_client.py` writes `_sync` from it."""
