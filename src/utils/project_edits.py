"""Texts of the project with one more recommender in them."""

import re

LIKE = "popularity"
"""The recommender whose names are replaced, where files are alike but for names."""


def renamed(text: str, name: str) -> str:
    """A text about the recommender LIKE as one about another."""

    def other(found: re.Match[str]) -> str:
        prefix = found[1] or ""
        if prefix.endswith("-"):  # a distribution, whose name has no underscores
            return prefix + name.lower().replace("_", "-")
        return prefix + (name.lower() if prefix else name)

    return re.sub(rf"(pipeline[_-])?{LIKE}", other, text)


def with_stanza(text: str, name: str) -> str | None:
    """A compose file with the service of another recommender after the last of them.

    None if it has no service of LIKE's.
    """
    services = list(re.finditer(r"^  pipeline_\w+:.*\n(?:(?: {3,}.*)?\n)*", text, flags=re.M))
    pattern = next((one[0] for one in services if one[0].startswith(f"  pipeline_{LIKE}:")), None)
    if pattern is None:
        return None
    end = services[-1].start() + len(services[-1][0].rstrip("\n")) + 1
    gap = "\n" if len(services) > 1 and "\n\n" in text[services[0].start() : end] else ""
    return text[:end] + gap + renamed(pattern.rstrip("\n") + "\n", name) + text[end:]


def with_row(text: str, name: str) -> str | None:
    """A README with a row for another recommender. None if it has no table of recommenders."""
    table = re.search(r"^## Recommenders\n+(?:^(?!#|\|).*\n)*((?:^\|.*\n)+)", text, flags=re.M)
    if table is None:
        return None
    cells = table[1].splitlines()[0].count("|") - 1
    row = " | ".join([f"`{name}`", "see its `model.py`", *["-"] * cells][:cells])
    return f"{text[: table.end(1)]}| {row} |\n{text[table.end(1) :]}"
