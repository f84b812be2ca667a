"""One attempt at a retraining: its place in the registry and its run folder.

Both may lie on shares. Every method here waits up to an hour for a share that is away.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from dynamite.checkpoints.loading import shipped
from dynamite.registry import Current, Description, Registry, RegistryError, Version
from training.retraining.request import RetrainingRequest
from training.retraining.run_folder import keep_copy, release, take
from training.retraining.waiting import patiently

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """An attempt that has begun.

    Attributes:
        request: what was asked for.
        registry: the versions of its line.
        token: its entry in the registry. Once a later attempt begins, this one cannot publish.
        parent: version that the first attempt started from; None for the weights served without.
    """

    request: RetrainingRequest
    registry: Registry
    token: Current
    parent: str | None

    def version_made_before(self) -> Version | None:
        """Return the version of an earlier attempt that was killed before it could report it.

        A request by hand has no job: versions that others made of the same data are not its own.
        """
        return patiently(self._find_version)

    def was_published(self, version: Version) -> bool:
        """Whether a version is or has been current."""
        return patiently(lambda: self.registry.was_current(version.name))

    def weights_of(self, version: str | None) -> Path:
        """Return a version's weights, copied into the run because the share may go away.

        None stands for what is served while no version is current.
        """
        request = self.request
        if version is None:
            return request.checkpoint or shipped(request.preset)
        copy = request.run / f"{version}.safetensors"
        if not copy.is_file():
            patiently(lambda: self.registry.get(version).copy_weights(copy))
        return copy

    def start_weights(self) -> Path:
        """Return the weights to train from, the same for all attempts."""
        start = self.weights_of(self.parent)
        if self.parent is None:
            start = keep_copy(start, self.request.run / "start.safetensors")
        return start

    def add_version(self, weights: Path, description: Description, report: Path) -> Version:
        """Add a version to the registry. It is not current yet."""
        return patiently(lambda: self.registry.add(weights, description, report, self.token))

    def publish(self, version: Version, reason: str) -> None:
        """Make a version current.

        Raises:
            StaleError: a later attempt has begun, or somebody promoted another version.
        """
        name, token = version.name, self.token
        patiently(
            lambda: self.registry.promote(name, holder=token.holder, reason=reason, token=token)
        )

    def end(self) -> None:
        """Remove old versions, as far as that works, and the run folder."""
        try:
            self.registry.prune(self.request.options.keep_versions)
        except RegistryError as error:
            log.warning("old versions stay for now: %s", error)
        release(self.request, self.token)

    def _find_version(self) -> Version | None:
        request = self.request
        if not request.job:
            return None
        for version in reversed(self.registry.versions()):
            known = version.description
            if known.data == request.digest and known.note.get("job") == request.job:
                return version
        return None


def begin(request: RetrainingRequest, name: str) -> Attempt:
    """Begin an attempt; ``name`` stands for it in the registry.

    Raises:
        RegistryError, AwayError: a share stayed away.
        RequestError: the snapshot is gone for good.
    """
    registry = Registry(request.models)
    token = patiently(lambda: registry.begin(name, allow_empty=not request.begun))
    parent = patiently(lambda: take(request, token))
    return Attempt(request, registry, token, parent)
