"""Progress of a long evaluation: a bar with the time left on a terminal, plain lines elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import TaskID

from training.progress import bar

_LINES = 10
"""Plain lines for each row of the table to come."""


class Watcher:
    """Counts the images of each row of an evaluation, on stderr."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = bar(self._console)
        self._text, self._total, self._done = "", 0, 0
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, text: str, total: int) -> None:
        """A row of ``total`` images."""
        self._text, self._total, self._done = text, total, 0
        self._task = self._bar.add_task(text, total=total)

    def advance(self) -> None:
        """One image is done."""
        before, self._done = self._done, self._done + 1
        if self._task is not None:
            self._bar.advance(self._task)
        tenth = self._done * _LINES // self._total > before * _LINES // self._total
        if tenth and not self._console.is_terminal:
            self._console.print(f"{self._text}: {self._done} of {self._total} images")
