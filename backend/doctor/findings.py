"""The result of one check."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How a check ended."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was checked, the result, and how to fix it if it is bad."""

    check: str
    verdict: Verdict
    message: str
    fix: str = ""


def good(check: str, message: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(check, Verdict.GOOD, message)


def bad(check: str, message: str, fix: str) -> Finding:
    """Return a finding with a problem."""
    return Finding(check, Verdict.BAD, message, fix)


def unknown(check: str, message: str) -> Finding:
    """Return a finding of a check that was not possible."""
    return Finding(check, Verdict.UNKNOWN, message)
