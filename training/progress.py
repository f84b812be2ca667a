"""The progress bar of every long operation; plain lines where there is no terminal."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Item = TypeVar("Item")

_MANY_ITEMS = 2000
"""``track`` draws no bar for fewer items: they are read in about a second."""

_LINES_PER_TASK = 10
"""Plain lines that ``Counter`` prints for each task where there is no terminal."""


class _TimeLeft(ProgressColumn):
    """The time left: a task's own ``seconds_left`` field if it has one, else rich's estimate."""

    def __init__(self) -> None:
        super().__init__()
        self._estimate = TimeRemainingColumn()

    def render(self, task: Task) -> Text:
        if "seconds_left" not in task.fields:
            return self._estimate.render(task)
        seconds = task.fields["seconds_left"]
        text = "-:--:--" if seconds is None else duration(seconds)
        return Text(text, style="progress.remaining")


def progress_bar(console: Console, *, elapsed: bool = True, transient: bool = False) -> Progress:
    """Return a bar that shows the count, the time elapsed and the time left.

    The bar is drawn on a terminal only. A task whose duration is known from elsewhere gives it as
    the field ``seconds_left``.

    Args:
        console: where the bar is drawn.
        elapsed: whether to show the time elapsed; not for work that began before the bar did.
        transient: whether the bar disappears at the end.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([TimeElapsedColumn()] if elapsed else []),
        TextColumn("left"),
        _TimeLeft(),
        console=console,
        transient=transient,
        disable=not console.is_terminal,
    )


def track(items: Sequence[Item], text: str, *, least: int = _MANY_ITEMS) -> Iterator[Item]:
    """Yield the items, with a bar on stderr if there are at least ``least`` of them."""
    console = Console(stderr=True)
    if len(items) < least:
        yield from items
        return
    with progress_bar(console, transient=True) as bar:
        yield from bar.track(items, description=text)


class Counter:
    """Counts the items of one task after another: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bar = progress_bar(self._console)
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
        """Begin a task of ``total`` images."""
        self._text, self._total, self._done = text, total, 0
        self._task = self._bar.add_task(text, total=total)

    def advance(self) -> None:
        """Count one more image."""
        before, self._done = self._done, self._done + 1
        if self._task is not None:
            self._bar.advance(self._task)
        line_due = (
            self._done * _LINES_PER_TASK // self._total > before * _LINES_PER_TASK // self._total
        )
        if line_due and not self._console.is_terminal:
            self._console.print(f"{self._text}: {self._done} of {self._total} images")


def duration(seconds: float) -> str:
    """Return seconds as H:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
