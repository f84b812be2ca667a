"""What can be said of the models served here: versions, training, what waits for one."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

from pydantic import TypeAdapter
from redis import Redis
from redis.exceptions import RedisError

from backend.jobs.job_queue import JobQueue
from backend.retraining.due import Due, last_due
from backend.retraining.status import (
    Asked,
    Backlog,
    TrainingState,
    last_asked,
    last_backlog,
    last_training,
)
from backend.retraining.verdicts import verdicts
from backend.serving.engine import Engine
from backend.serving.model_watcher import ModelWatcher
from dynamite.registry import Registry, RegistryError

log = logging.getLogger(__name__)

T = TypeVar("T", TrainingState, Asked, Backlog, Due)

LARGEST = 2**53
"""No count of ours is larger; a float holds it exactly."""


class ModelStatus:
    """Looks up how the line of models served here stands; every call asks afresh."""

    def __init__(
        self,
        engine: Engine,
        queue: JobQueue,
        registry: Registry,
        line: str,
        watcher: ModelWatcher | None = None,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._registry = registry
        self._line = line
        self._watcher = watcher

    @property
    def problem(self) -> str | None:
        """Why the version that should answer cannot be used; None while all is well."""
        return self._watcher.problem if self._watcher else None

    def training(self) -> TrainingState | None:
        """The last training of the line; None if there is none or the queue is away."""
        return self._look_up(TrainingState, lambda redis: last_training(redis, self._line))

    def asked(self) -> Asked | None:
        """What came of the last request for a training."""
        return self._look_up(Asked, lambda redis: last_asked(redis, self._line))

    def due(self) -> Due | None:
        """How far the line is from its next training."""
        return self._look_up(Due, lambda redis: last_due(redis, self._line))

    def backlog(self) -> Backlog | None:
        """What was accepted but waits, or was set aside."""
        return self._look_up(Backlog, last_backlog)

    def verdicts(self) -> dict[str, int]:
        """How many trainings of the line have ended in each way; empty while the queue is away."""
        try:
            return self._queue.ask(lambda redis: verdicts(redis, self._line))
        except (RedisError, OSError, ValueError):
            return {}

    def versions(self) -> dict[str, object]:
        """The known versions, the one that answers first, and how training stands, as JSON."""
        serving = self._engine.model.version
        try:
            others = [version.name for version in self._registry.versions()]
        except RegistryError:  # away; the watcher's problem says so
            others = []
        training, asked = self.training(), self.asked()
        return {
            "versions": [serving, *(name for name in reversed(others) if name != serving)],
            "training": None if training is None else asdict(training),
            "asked": None if asked is None else asdict(asked),
            "problem": self.problem,
        }

    def _look_up(self, kind: type[T], question: Callable[[Redis], T | None]) -> T | None:
        """Ask the queue server; None for what cannot be read, whoever wrote it there."""
        try:
            found = self._queue.ask(question)
            return None if found is None else checked(kind, found)
        except Exception as error:  # of json, rq and our own reading of what they return
            name = type(error).__name__
            log.warning("what the queue server holds is no %s (%s)", kind.__name__, name)
            return None


def checked(kind: type[T], found: T) -> T:
    """Return ``found`` if its fields have the types of ``kind`` and no number is absurd.

    Raises:
        ValueError: They do not, or one is.
    """
    good = TypeAdapter(kind).validate_json(json.dumps(asdict(found)), strict=True)
    for value in asdict(good).values():
        if isinstance(value, int) and not 0 <= value <= LARGEST:
            raise ValueError("a count is negative or absurdly large")
    return good
