# Generated from _async/__init__.py by scripts/generate_sync_client.py: do not edit.
"""The sync twin of `_async`, generated."""
