"""Tables on the terminal, or in a pipe."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 160


def print_table(table: "Table") -> None:
    """Print a table as it is: what annotators and errors say in it is no markup."""
    from rich.console import Console

    width = None if Console().is_terminal else PIPE_WIDTH
    Console(width=width, markup=False, emoji=False).print(table)


def counted(count: int, what: str) -> str:
    """A number of things in words, as in "1 project" and "2 projects"."""
    return f"{count} {what}" + ("" if count == 1 else "s")
