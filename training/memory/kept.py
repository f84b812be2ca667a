"""Project memories on disk: what each one brings, and its weights. Imports no torch.

A record names its weights by their digest, and is written after them: a reader finds both or,
while a newer memory replaces them, tries again. A process killed in between leaves a file of
weights that no record names, and the next memory removes it.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dynamite.files import replacing

log = logging.getLogger(__name__)

MOST = 32
"""Memories with weights that are kept: two megabytes each with ``lite``."""

Project = tuple[str, int]
"""The source of a project and its number there (``ProjectKey`` is one)."""

Pair = tuple[float, float]
"""A figure without memory and with it."""


class LabelRecord(BaseModel):
    """What memory does for the objects of one label."""

    model_config = ConfigDict(frozen=True)

    label: str
    objects: int
    first_iou: Pair
    clicks: Pair


class Record(BaseModel):
    """The memory of one project: what it was made from, and what came of its trial.

    Attributes:
        source: of the project, and
        project: its number there.
        change: number of the project's last change that it has seen.
        weights: names the weights it was learned from, as ``current_weights`` does.
        model_version: of the network with these weights.
        images: how many accepted images it knows.
        made: when, ISO 8601, UTC.
        words: why it is on or off.
        digest: of its weights; None while it is off.
        clicks: clicks per object in its trial; None if there was no trial, and
        first_iou: IoU after the first click, likewise.
        error: standard error of the clicks saved.
        labels: the same by label.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    project: int
    change: int
    weights: str
    model_version: str
    images: int
    made: str
    words: str
    digest: str | None = None
    clicks: Pair | None = None
    first_iou: Pair | None = None
    error: float | None = None
    labels: tuple[LabelRecord, ...] = ()

    @property
    def key(self) -> Project:
        """The project."""
        return self.source, self.project


class KeptMemories:
    """The memories in ``folder``, which may not exist yet. One process writes, any number read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def records(self) -> list[Record]:
        """Return all readable records, the newest first."""
        found = [self._read(path) for path in self.folder.glob("[!.]*.json")]
        records = [record for record in found if record is not None]
        return sorted(records, key=lambda record: record.made, reverse=True)

    def record(self, project: Project) -> Record | None:
        """Return the record of a project; None if there is none that can be read."""
        return self._read(self._record_path(project))

    def weights_path(self, record: Record) -> Path:
        """Return where the weights of a memory lie that is on."""
        return self.folder / f"{_name(record.key)}-{record.digest}.safetensors"

    def write(self, record: Record, save: Callable[[Path], None] | None = None) -> None:
        """Replace the memory of a project; ``save`` writes its weights, if it is on."""
        self.folder.mkdir(exist_ok=True)  # not its parents: a share may not be mounted
        if save is not None:
            save(self.weights_path(record))
        with replacing(self._record_path(record.key)) as draft:
            draft.write_text(record.model_dump_json(indent=1), encoding="utf-8")
        for old in self._switch_off_oldest():
            log.info("the memory of project %s:%d is off: others are newer", *old.key)
        self._remove_unnamed()

    def forget(self, project: Project) -> None:
        """Remove the memory of a project."""
        self._record_path(project).unlink(missing_ok=True)
        self._remove_unnamed()

    def _switch_off_oldest(self) -> list[Record]:
        on = [record for record in self.records() if record.digest is not None]
        for record in on[MOST:]:
            words = f"off: {MOST} projects with newer annotations have memories"
            with replacing(self._record_path(record.key)) as draft:
                off = record.model_copy(update={"digest": None, "words": words})
                draft.write_text(off.model_dump_json(indent=1), encoding="utf-8")
        return on[MOST:]

    def _remove_unnamed(self) -> None:
        named = {self.weights_path(one) for one in self.records() if one.digest is not None}
        for path in self.folder.glob("*.safetensors"):
            if path not in named:
                path.unlink(missing_ok=True)

    def _record_path(self, project: Project) -> Path:
        return self.folder / f"{_name(project)}.json"

    def _read(self, path: Path) -> Record | None:
        try:
            return Record.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            log.warning("%s cannot be read, the memory is made again: %s", path, error)
            return None


def _name(project: Project) -> str:
    return "{}-{}".format(*project)
