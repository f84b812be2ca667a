"""What can be said of the models served here: versions, training, what waits for one."""

from dataclasses import asdict

from backend.jobs.job_queue import JobQueue
from backend.retraining.status import (
    Asked,
    Backlog,
    TrainingState,
    last_asked,
    last_backlog,
    last_training,
)
from backend.serving.engine import Engine
from backend.serving.model_watcher import ModelWatcher
from dynamite.registry import Registry, RegistryError


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
        return self._queue.ask(lambda redis: last_training(redis, self._line))

    def asked(self) -> Asked | None:
        """What came of the last request for a training."""
        return self._queue.ask(lambda redis: last_asked(redis, self._line))

    def backlog(self) -> Backlog | None:
        """What was accepted but waits, or was set aside."""
        return self._queue.ask(last_backlog)

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
