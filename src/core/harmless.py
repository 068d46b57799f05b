"""Text of unknown origin, for a terminal."""

import re

# What a terminal would obey rather than show, and what turns the direction of writing.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def harmless(text: str) -> str:
    """Text that a terminal shows and does nothing else with."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
