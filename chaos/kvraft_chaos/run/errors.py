"""What keeps a run from being played or judged: no verdict, and one line that says why."""


class RunError(Exception):
    """Says what is wrong with what was given, or what did not work."""
