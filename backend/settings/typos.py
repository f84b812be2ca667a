"""Suggests the setting that a misspelled name may mean."""

from collections.abc import Iterable
from difflib import get_close_matches

PREFIX = "DYNAMITE_"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name; ignores the prefix in the comparison."""
    bare = {one.upper().removeprefix(PREFIX): one for one in known}
    close = get_close_matches(name.upper().removeprefix(PREFIX), bare, n=1, cutoff=0.7)
    return f"did you mean {bare[close[0]]}?" if close else "`dynamite settings` lists all of them"


def unknown_variables(known: Iterable[str], environment: Iterable[str]) -> list[str]:
    """Return a warning for each variable with the prefix that is not among the known ones."""
    names = set(known)
    prefixed = [name for name in environment if name.upper().startswith(PREFIX)]
    return [
        f"{name} is not a setting; {suggestion(name, names)}"
        for name in sorted(prefixed)
        if name.upper() not in names
    ]
