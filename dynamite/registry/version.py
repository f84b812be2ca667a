"""One version of a model on disk: weights, a description, and the report it was judged by."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dynamite.errors import CheckpointError
from dynamite.files import replacing
from dynamite.formats import refusal
from dynamite.json_text import read_json
from dynamite.manifest import digest
from dynamite.registry.errors import MissingError, RegistryError, as_registry_error

FORMAT_VERSION = 1
"""Highest format of a description that is read, and the one that is written."""

WEIGHTS, DESCRIPTION, REPORT = "model.safetensors", "version.json", "report"


@dataclass(frozen=True)
class Description:
    """What is recorded about a version.

    Attributes:
        parent: the version it was trained from; None: the weights that ship.
        data: digest of the snapshot it was trained on.
        metrics: measurements by name; JSON.
        verdict: the gate's decision, in words.
        note: anything else; JSON.
    """

    parent: str | None = None
    data: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    verdict: str = ""
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A version in its folder.

    Attributes:
        name: of the weights, for example "lite-1a2b3c4d".
        folder: where it lies.
        created: ISO 8601, UTC.
        sha256: of the weights' file.
        description: what is recorded about it.
    """

    name: str
    folder: Path
    created: str
    sha256: str
    description: Description

    @property
    def weights(self) -> Path:
        """The checkpoint, for ``dynamite.load``."""
        return self.folder / WEIGHTS

    @property
    def report(self) -> Path:
        """The folder of the report it was judged by; may not exist."""
        return self.folder / REPORT

    def verify(self) -> None:
        """Read all weights and check them.

        Raises:
            CheckpointError: they are missing, damaged, or not those of this version.
            RegistryError: the file cannot be read.
        """
        from dynamite.checkpoints.checkpoint import read  # noqa: PLC0415  torch takes a second to import

        with as_registry_error(self.folder):
            if not self.weights.is_file():
                raise CheckpointError(
                    f"version {self.name} has no weights: {self.weights} is missing"
                )
            self._check_digest(self.weights)
        found = read(self.weights).version
        if found != self.name:
            raise CheckpointError(f"{self.weights} holds {found}, not {self.name}")

    def copy_weights(self, target: Path) -> None:
        """Copy the weights to a file outside the shared folder, atomically, and check the copy.

        Raises:
            CheckpointError: they are damaged.
            RegistryError: they cannot be read, or ``target`` cannot be written.
        """
        with as_registry_error(self.folder), replacing(target) as draft:
            shutil.copyfile(self.weights, draft)
            self._check_digest(draft)  # the copy: a share that vanished meanwhile is not damage

    def _check_digest(self, path: Path) -> None:
        """Check that a file is the one that was published."""
        if digest(path) != self.sha256:
            raise CheckpointError(
                f"version {self.name} is damaged: {self.weights} is not the file that was published"
            )

    def to_json(self) -> str:
        """Return the contents of ``version.json``."""
        values = {
            "name": self.name,
            "created": self.created,
            "sha256": self.sha256,
            **asdict(self.description),
        }
        return json.dumps(values, indent=1, allow_nan=False)


def read_version(folder: Path) -> Version:
    """Return the version in a folder.

    Raises:
        MissingError: there is none.
        RegistryError: the registry's folder is not there, or the description is damaged or newer.
    """
    try:
        values = read_json((folder / DESCRIPTION).read_bytes())
        if newer := refusal(values, FORMAT_VERSION, folder / DESCRIPTION):
            raise RegistryError(newer)
        name, created, sha = (str(values.pop(key)) for key in ("name", "created", "sha256"))
        if name != folder.name:
            raise ValueError(f"it is of {name[:80]!r}")
        return Version(name, folder, created, sha, Description(**values))
    except FileNotFoundError:
        line = folder.parent.parent  # a new line has no folder of versions yet
        with as_registry_error(line):
            mounted = line.is_dir()
        if not mounted:
            raise RegistryError(
                f"version {folder.name} cannot be read: no {line}: is the share mounted?"
            ) from None
        raise MissingError(
            f"there is no version {folder.name}: `dynamite models list` shows all versions"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryError(f"{folder / DESCRIPTION} cannot be read: {error}") from error
