"""Shows which step of a command is under way: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def steps(count: int) -> Iterator[Callable[[str], None]]:
    """Show ``count`` steps on stderr; the bar disappears at the end.

    Yields:
        A function to call with the name of each step when it begins.
    """
    from rich.console import Console

    from training.progress import progress_bar

    console = Console(stderr=True)
    with progress_bar(console, transient=True) as bar:
        task = bar.add_task("", total=count)
        begun = 0

        def begin(text: str) -> None:
            nonlocal begun
            bar.update(task, description=text, completed=begun, refresh=True)
            begun += 1
            if not console.is_terminal:
                console.print(f"{text} …", markup=False, highlight=False)

        yield begin
