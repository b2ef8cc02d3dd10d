"""The source of both forms; `scripts/generate_sync_client.py` writes `_sync` from it."""
