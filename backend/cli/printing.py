"""Prints tables on the terminal or into a pipe."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 160


def print_table(table: "Table") -> None:
    """Print a table without interpreting markup in its texts."""
    from rich.console import Console

    width = None if Console().is_terminal else PIPE_WIDTH
    Console(width=width, markup=False, emoji=False).print(table)


def counted(count: int, what: str) -> str:
    """Return a count with its noun, as in "1 project" and "2 projects"."""
    return f"{count} {what}" + ("" if count == 1 else "es" if what.endswith("x") else "s")
