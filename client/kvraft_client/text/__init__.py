"""Conditions and actions as people write them: `value > 500`, `value -= 75` (`kvraft[text]`)."""

from kvraft_client.text.parsing import TextError, parse_action, parse_condition
from kvraft_client.text.printing import format_action, format_condition

__all__ = ["TextError", "format_action", "format_condition", "parse_action", "parse_condition"]
