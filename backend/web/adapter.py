"""The seam of annotation tools: what the web application needs of each (docs/extending.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flask import Blueprint


@dataclass(frozen=True)
class StatusRow:
    """A row of the status page: a name and what is to be said, each line on its own."""

    name: str
    lines: tuple[str, ...]
    is_bad: bool = False
    is_good: bool = False


class Adapter(Protocol):
    """An annotation tool as the web application mounts it.

    The adapter reads requests into the words of ``backend.session``, answers through
    ``backend.serving``, and writes the answer in the tool's own form.
    """

    title: str
    """What people call the tool."""

    blueprint: Blueprint
    """Its routes."""

    open_endpoints: frozenset[str]
    """Names of endpoints that need no password, because they check callers themselves."""

    def hide_secret(self, path: str, *, is_route: bool) -> str:
        """Return an address without a secret it may hold, for logs and errors."""

    def status(self) -> Sequence[StatusRow]:
        """Return what the status page says about the tool."""

    def close(self) -> None:
        """Stop its threads."""
