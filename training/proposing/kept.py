"""Descriptions of a project's accepted objects on disk: one file for each. Imports no torch.

A file is written as a whole or not at all. What cannot be read counts as missing and is made again.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dynamite.files import replacing
from dynamite.proposals.description import MOST_AREAS, MOST_VECTORS, Description, Kind
from training.proposing.verdicts import Trial, Verdict, verdicts

log = logging.getLogger(__name__)

MOST_IMAGES = 16
"""Images that a label is described by."""

MOST_LABELS = 20
"""Labels of a project that are described: those with the most images."""

SUFFIX = ".safetensors"
_RECORD = "record"

Project = tuple[str, int]
"""The source of a project and its number there (``ProjectKey`` is one)."""


class Entry(BaseModel):
    """What is described: the objects of a label in the image called ``image``."""

    model_config = ConfigDict(frozen=True)

    label: str
    image: str


class Record(BaseModel):
    """What a file holds, and what it was made from.

    Attributes:
        change: number of the project's last change that it has seen.
        weights: names the weights of the network, as ``current_weights`` does.
        model_version: of the network with these weights.
        entries: what is described, the newest image first.
        passed_over: names of images that have been seen and are not kept.
        tried: names of images that the others have been tried on (``verdicts``), the newest ones.
        trials: what came of it.
    """

    model_config = ConfigDict(frozen=True)

    change: int
    weights: str
    model_version: str
    entries: tuple[Entry, ...] = ()
    passed_over: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The labels that are described."""
        return sorted({entry.label for entry in self.entries})

    @property
    def verdicts(self) -> list[Verdict]:
        """Whether each of these labels is worth pre-labelling."""
        return verdicts(self.labels, self.trials)


@dataclass(frozen=True)
class Kept:
    """The descriptions of a project, in the order of ``record.entries``."""

    record: Record
    descriptions: tuple[Description, ...]

    def of(self, label: str) -> list[Description]:
        """Return the descriptions of a label, the newest first."""
        pairs = zip(self.record.entries, self.descriptions, strict=True)
        return [one for entry, one in pairs if entry.label == label]


class KeptDescriptions:
    """The files in ``folder``, which may not exist yet. Any number of processes read and write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, project: Project) -> Path:
        """Return where the descriptions of a project lie."""
        return self.folder / ("{}-{}".format(*project) + SUFFIX)

    def projects(self) -> Iterator[Project]:
        """Yield the projects that have a file."""
        for path in self.folder.glob(f"[!.]*{SUFFIX}"):
            source, _, number = path.name.removesuffix(SUFFIX).rpartition("-")
            if source and number.isascii() and number.isdecimal():
                yield source, int(number)

    def record(self, project: Project) -> Record | None:
        """Return what the file of a project holds; None if there is none that can be read."""
        try:
            with safe_open(self.path(project), framework="numpy") as file:
                return _record(file.metadata())
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            log.warning("%s cannot be read, it is made again: %s", self.path(project), error)
            return None

    def read(self, project: Project) -> Kept | None:
        """Return the descriptions of a project; None if there are none that can be read."""
        try:
            with safe_open(self.path(project), framework="numpy") as file:
                record = _record(file.metadata())
                count = len(record.entries)
                return Kept(record, tuple(_description(file, number) for number in range(count)))
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            log.warning("%s cannot be read, it is made again: %s", self.path(project), error)
            return None

    def write(self, project: Project, record: Record, descriptions: Sequence[Description]) -> None:
        """Replace the file of a project, atomically."""
        self.folder.mkdir(exist_ok=True)  # not its parents: a share may not be mounted
        tensors = {
            f"{number}.{name}": getattr(one, name)
            for number, one in enumerate(descriptions)
            for name in _TYPES
        }
        tensors["count"] = np.array([len(descriptions)], np.int64)  # a file needs a tensor
        with replacing(self.path(project)) as draft:
            save_file(tensors, draft, {_RECORD: record.model_dump_json()})

    def forget(self, project: Project) -> None:
        """Remove the descriptions of a project."""
        self.path(project).unlink(missing_ok=True)


_TYPES = {"vectors": np.float16, "kinds": np.uint8, "areas": np.float32}


def _record(metadata: dict[str, str] | None) -> Record:
    try:
        return Record.model_validate_json((metadata or {})[_RECORD])
    except ValidationError as error:
        raise ValueError(f"its record is damaged: {json.dumps(error.errors()[0]['msg'])}") from None


def _description(file: safe_open, number: int) -> Description:
    """Read one description.

    Raises:
        ValueError: it is not one.
    """
    found = {
        name: file.get_tensor(f"{number}.{name}")  # type: ignore[no-untyped-call]
        for name in _TYPES
    }
    vectors, kinds, areas = (found[name] for name in _TYPES)
    if (
        any(found[name].dtype != kind for name, kind in _TYPES.items())
        or (vectors.ndim, kinds.shape, areas.ndim) != (2, vectors.shape[:1], 1)
        or not 0 < len(vectors) <= MOST_VECTORS
        or not 0 < len(areas) <= MOST_AREAS
        or not 0 < kinds.max() <= max(Kind)
        or not (np.isfinite(vectors).all() and np.isfinite(areas).all() and (areas > 0).all())
    ):
        raise ValueError(f"description {number} is damaged")
    return Description(vectors, kinds, areas)
