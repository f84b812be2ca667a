"""What a store of pages needs of the place where several processes share them."""

from collections.abc import Sequence
from typing import Protocol

from backend.session.page_bytes import KeptPage


class PageTier(Protocol):
    """Where the pages of a task lie for other processes."""

    def recall(self, task: str, *, is_known: bool) -> Sequence[KeptPage] | None:
        """Return the pages of a task if another process has changed them, else None.

        ``is_known``: whether this process has pages of the task itself.
        """

    def keep(self, task: str, pages: tuple[KeptPage, ...]) -> None:
        """Keep the pages of a task, without waiting."""


class Alone:
    """No other process."""

    def recall(self, task: str, *, is_known: bool) -> None:
        """Nothing."""

    def keep(self, task: str, pages: tuple[KeptPage, ...]) -> None:
        """Nothing."""
