"""What differs between asyncio and threads, behind the same names: the only hand-kept pair.

`aio` serves the async source, `threads` its generated twin. Keep the two modules parallel.
"""
