"""What a check found, in words."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How a check ended."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, how it is, and what to do where it is bad."""

    what: str
    verdict: Verdict
    words: str
    mend: str = ""


def good(what: str, words: str) -> Finding:
    """All is well."""
    return Finding(what, Verdict.GOOD, words)


def bad(what: str, words: str, mend: str) -> Finding:
    """Something has to be mended."""
    return Finding(what, Verdict.BAD, words, mend)


def unknown(what: str, words: str) -> Finding:
    """It could not be looked at."""
    return Finding(what, Verdict.UNKNOWN, words)
