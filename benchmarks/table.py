"""Measurements, and tables of them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement. ``target`` is what was promised, such as "≥ 5", or "" if nothing was."""

    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if not self.target:
            return None
        relation, bound = self.target.split()
        return self.value >= float(bound) if relation == "≥" else self.value <= float(bound)


def render(rows: Sequence[Row]) -> str:
    """Return the rows as an aligned text table."""
    marks = {None: "", True: "yes", False: "NO"}
    head = ("measurement", "value", "unit", "target", "met", "note")
    cells = [
        (row.name, f"{row.value:.4g}", row.unit, row.target, marks[row.met], row.note)
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    lines = []
    for line in (head, tuple("-" * width for width in widths), *cells):
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        padded[1] = line[1].rjust(widths[1])
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)
