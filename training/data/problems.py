"""Collects the faults of a data set; they stop it from being opened unless told to skip."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dynamite.errors import DynamiteError

if TYPE_CHECKING:
    from training.data.sample import InstanceDataset

OnProblem = Literal["raise", "skip"]

MAX_LISTED = 20
"""Number of problems that an error lists; the others are only counted."""


class DatasetError(DynamiteError):
    """A data set cannot be used as it is; the message names the file, annotation and fault."""


@dataclass(frozen=True)
class Problem:
    """One fault: its kind, by which faults are counted, its place and its details."""

    kind: str
    file: str
    annotation_id: int | str | None
    detail: str

    def __str__(self) -> str:
        where = self.file
        if self.annotation_id is not None:
            where += f", annotation {self.annotation_id}"
        return f"{where}: {self.kind}: {self.detail}"


class Problems:
    """The faults found while opening one data set."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(
        self, kind: str, file: str | Path, annotation_id: int | str | None, detail: str
    ) -> None:
        """Add one fault."""
        self._found.append(Problem(kind, str(file), annotation_id, detail))

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def counts(self) -> dict[str, int]:
        """Return the number of faults of each kind, most frequent first."""
        return dict(Counter(problem.kind for problem in self._found).most_common())

    def __str__(self) -> str:
        if not self._found:
            return "no problems"
        counted = ", ".join(f"{number} × {kind}" for kind, number in self.counts().items())
        lines = [f"{len(self._found)} problems ({counted})"]
        lines += [f"  {problem}" for problem in self._found[:MAX_LISTED]]
        if len(self._found) > MAX_LISTED:
            lines.append(f"  … and {len(self._found) - MAX_LISTED} more")
        return "\n".join(lines)

    def settle(self, source: str | Path, on_problem: OnProblem) -> None:
        """Raise if there are problems, unless they are to be skipped.

        Raises:
            DatasetError: lists the problems.
        """
        if self._found and on_problem == "raise":
            raise DatasetError(
                f"{source}: {self}\n"
                "Fix the files, or skip these entries: --skip-problems on the command line, "
                'on_problem="skip" in Python and in a training config.'
            )


def left_out(dataset: object) -> Problems:
    """Return what a data set left out when opened; a packed set never leaves anything out."""
    found: Problems = getattr(dataset, "problems", Problems())
    return found


def why_empty(dataset: "InstanceDataset") -> str:
    """Say why a data set without samples has none."""
    words = f"{dataset.name}: no image has an object"
    if only_crowds := len(getattr(dataset, "only_crowds", ())):
        words += (
            f"; {only_crowds} hold crowds only (`iscrowd: 1`), which COCO ignores. Some tools "
            "write every brush mask as a crowd: set `iscrowd` to 0 if these are objects"
        )
    if left := len(left_out(dataset)):
        words += f"; faulty entries that were left out: {left:,}"
    return words
