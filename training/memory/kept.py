"""Project memories on disk: what each one brings, and its weights. Imports no torch.

A record of an older format, or a damaged one, counts as none: its memory is made again. One of a
newer format is left to the release that wrote it.

A record names its weights by their digest, and is written after them: a reader finds both or,
while a newer memory replaces them, tries again. A process killed in between leaves a file of
weights that no record names, and the next memory removes it.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from dynamite.errors import DynamiteError
from dynamite.files import replacing
from dynamite.formats import KEY, refusal
from training.memory.evidence import LabelOutcome, Outcome, by_label

log = logging.getLogger(__name__)

MOST = 32
"""Memories with weights that are kept: two megabytes each with ``lite``."""

FORMAT_VERSION = 2

Project = tuple[str, int]
"""The source of a project and its number there (``ProjectKey`` is one)."""


class Record(BaseModel):
    """The memory of one project: what it was made from, and what came of its trials.

    Attributes:
        source: of the project, and
        project: its number there.
        change: number of the project's last change that it has seen.
        weights: names the weights it was learned from, as ``current_weights`` does.
        model_version: of the network with these weights.
        images: how many accepted images there were.
        made: when, ISO 8601, UTC.
        words: why it is on or off.
        is_on: whether clicks are answered with it.
        digest: of its weights, which are kept while it is off, too; None if there are none.
        known: the images that its weights have learned from (``accepted.name_of``).
        outcomes: of the images that it was tried on, the oldest first.
        without: labels that are answered without it while it is on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    project: int
    change: int
    weights: str
    model_version: str
    images: int
    made: str
    words: str
    is_on: bool = False
    digest: str | None = Field(default=None, pattern="^[0-9a-f]{8}$")
    known: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def key(self) -> Project:
        """The project."""
        return self.source, self.project

    @property
    def labels(self) -> tuple[LabelOutcome, ...]:
        """What it does for each label, the most frequent first."""
        return by_label(self.outcomes)


class KeptByNewerError(DynamiteError):
    """A newer release wrote what would be replaced."""


class KeptMemories:
    """The memories in ``folder``, which may not exist yet. One process writes, any number read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: set[str] = set()

    def projects(self) -> list[Project]:
        """Return the projects that have a record, readable or not."""
        names = (path.stem.rpartition("-") for path in self.folder.glob("[!.]*.json"))
        return sorted((name, int(number)) for name, _, number in names if number.isdecimal())

    def records(self) -> list[Record]:
        """Return all readable records, the newest first."""
        found = [self._read(path) for path in self.folder.glob("[!.]*.json")]
        records = [record for record in found if record is not None]
        return sorted(records, key=lambda record: record.made, reverse=True)

    def record(self, project: Project) -> Record | None:
        """Return the record of a project; None if there is none that can be read."""
        return self._read(self._record_path(project))

    def newer(self, project: Project) -> str | None:
        """Return why a project's record is left to a newer release; None if it is not."""
        path = self._record_path(project)
        try:
            values = json.loads(path.read_bytes())
            return refusal(values, FORMAT_VERSION, path) if isinstance(values, dict) else None
        except (OSError, ValueError):
            return None

    def weights_path(self, record: Record) -> Path:
        """Return where the weights of a memory lie that is on."""
        return self.folder / f"{_name(record.key)}-{record.digest}.safetensors"

    def write(self, record: Record, save: Callable[[Path], None] | None = None) -> None:
        """Replace the memory of a project; ``save`` writes its weights, if it has any.

        Raises:
            KeptByNewerError: a newer release wrote the one that is there.
        """
        if why := self.newer(record.key):
            raise KeptByNewerError(why)
        self.folder.mkdir(exist_ok=True)  # not its parents: a share may not be mounted
        if save is not None:
            save(self.weights_path(record))
        self._write(record)
        for old in self._drop_oldest():
            log.info("the memory of project %s:%d is off: others are newer", *old.key)
        self._remove_unnamed()

    def forget(self, project: Project) -> bool:
        """Remove the memory of a project; return whether there was one."""
        path = self._record_path(project)
        found = path.is_file()
        path.unlink(missing_ok=True)
        for weights in self.folder.glob(f"{_name(project)}-????????.safetensors"):
            weights.unlink(missing_ok=True)
        return found

    def _drop_oldest(self) -> list[Record]:
        """Drop weights beyond those of ``MOST`` projects; outcomes stay."""
        dropped = [record for record in self.records() if record.digest is not None][MOST:]
        for record in dropped:
            words = f"off: {MOST} projects with newer annotations have memories"
            off = {"digest": None, "is_on": False, "known": (), "words": words}
            self._write(record.model_copy(update=off))
        return dropped

    def _write(self, record: Record) -> None:
        values = {KEY: FORMAT_VERSION} | record.model_dump(mode="json")
        with replacing(self._record_path(record.key)) as draft:
            draft.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    def _remove_unnamed(self) -> None:
        """Remove weights that no record names, but for those of a newer release."""
        named = {self.weights_path(one) for one in self.records() if one.digest is not None}
        for path in self.folder.glob("*.safetensors"):
            source, _, rest = path.name.rpartition("-")[0].rpartition("-")
            if path not in named and not (rest.isdecimal() and self.newer((source, int(rest)))):
                path.unlink(missing_ok=True)

    def _record_path(self, project: Project) -> Path:
        return self.folder / f"{_name(project)}.json"

    def _read(self, path: Path) -> Record | None:
        try:
            values = json.loads(path.read_bytes())
            if not isinstance(values, dict):
                raise TypeError("it is no object")
            version = values.get(KEY, 1)
            if newer := refusal(values, FORMAT_VERSION, path):
                self._tell(newer)
                return None
            if version != FORMAT_VERSION:
                self._tell(f"{path} is of format {version}, the memory is made again")
                return None
            return Record.model_validate_json(json.dumps(values))
        except FileNotFoundError:
            return None
        except (OSError, TypeError, ValueError, RecursionError) as error:
            self._tell(f"{path} cannot be read, the memory is made again: {error}")
            return None

    def _tell(self, words: str) -> None:
        """Log a sentence once: records are read every few seconds."""
        if words not in self._told:
            self._told.add(words)
            log.warning("%s", words)


def _name(project: Project) -> str:
    return "{}-{}".format(*project)
