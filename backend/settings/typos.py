"""Slips in the names of settings: what was meant, as far as that can be guessed."""

from collections.abc import Iterable
from difflib import get_close_matches

PREFIX = "DYNAMITE_"


def guess(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is no setting; the prefix, which all share, apart."""
    bare = {one.upper().removeprefix(PREFIX): one for one in known}
    close = get_close_matches(name.upper().removeprefix(PREFIX), bare, n=1, cutoff=0.7)
    return f"did you mean {bare[close[0]]}?" if close else "`dynamite settings` lists all of them"


def unknown_variables(known: Iterable[str], environment: Iterable[str]) -> list[str]:
    """What to say of variables with the prefix that are no setting: nothing else reads them."""
    names = set(known)
    odd = [name for name in environment if name.upper().startswith(PREFIX)]
    return [
        f"{name} is no setting; {guess(name, names)}"
        for name in sorted(odd)
        if name.upper() not in names
    ]
