"""What is wrong with a data set: found, counted, named, and passed over only when asked."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dynamite.errors import DynamiteError

OnProblem = Literal["raise", "skip"]

NAMED = 20  # problems an error spells out; the others are only counted


class DatasetError(DynamiteError):
    """A data set cannot be used as it is; the message names file, annotation and fault."""


@dataclass(frozen=True)
class Problem:
    """One fault: its kind (what is counted), where it is, and what was found there."""

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
    """The faults met while opening one data set."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(
        self, kind: str, file: str | Path, annotation_id: int | str | None, detail: str
    ) -> None:
        """Remember one fault."""
        self._found.append(Problem(kind, str(file), annotation_id, detail))

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)

    def counts(self) -> dict[str, int]:
        """How many there are of each kind, most frequent first."""
        return dict(Counter(problem.kind for problem in self._found).most_common())

    def __str__(self) -> str:
        if not self._found:
            return "no problems"
        counted = ", ".join(f"{number} × {kind}" for kind, number in self.counts().items())
        lines = [f"{len(self._found)} problems ({counted})"]
        lines += [f"  {problem}" for problem in self._found[:NAMED]]
        if len(self._found) > NAMED:
            lines.append(f"  … and {len(self._found) - NAMED} more")
        return "\n".join(lines)

    def settle(self, source: str | Path, on_problem: OnProblem) -> None:
        """Raise DatasetError if there are any, unless they are to be skipped."""
        if self._found and on_problem == "raise":
            raise DatasetError(
                f"{source}: {self}\n"
                "Mend the files, or leave these out: --skip-problems on the command line, "
                'on_problem="skip" in Python and in a training config.'
            )


def left_out(dataset: object) -> Problems:
    """What an opened data set had to leave out; packed sets, which never do, do not say."""
    found: Problems = getattr(dataset, "problems", Problems())
    return found
