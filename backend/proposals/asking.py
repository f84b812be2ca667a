"""Asks for descriptions: a worker of the ingest queue looks at the annotation store now and then.

Nothing else has to ask, whatever tool an annotation comes from, and a killed worker costs nothing:
what descriptions were made from is in their file. At most one job of a project waits or runs.
"""

from redis import Redis

from backend.jobs.job_queue import INGEST
from backend.jobs.project_job import ProjectJob
from backend.memory.weights import current_weights
from backend.retraining.store import open_store
from backend.settings import Settings
from backend.settings.folders import descriptions_folder, store_folder
from training.annotation_store import ProjectKey, is_there
from training.proposing.kept import KeptDescriptions

DESCRIBE_JOB = "backend.proposals.jobs.describe"

JOB = ProjectJob("describe", DESCRIBE_JOB, INGEST, seconds=600)
"""Thirty-two images take seconds."""


class Asking:
    """Enqueues the descriptions that are due. Called every few seconds by one thread."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._kept = KeptDescriptions(descriptions_folder(settings))
        self._done: tuple[int, str] | None = None

    def __call__(self) -> None:
        """Ask for the descriptions of each project whose annotations or weights have changed.

        Raises:
            DynamiteError: the store or the registry is away.
        """
        if not is_there(store_folder(self._settings)):
            return
        name, _ = current_weights(self._settings)
        with open_store(self._settings, self._redis) as store:
            state = store.change(), name
            if state == self._done:
                return
            changes, projects = store.project_changes(), store.projects()
        for project in set(self._kept.projects()) - {tuple(one) for one in projects}:
            self._kept.forget(project)
        due = [one for one in projects if not self._is_new(one, changes[one], name)]
        for project in due:
            JOB.ask(self._redis, project.source, project.number, changes[project], name)
        self._done = None if due else state

    def _is_new(self, project: ProjectKey, change: int, weights: str) -> bool:
        record = self._kept.record(project)
        return record is not None and (record.change, record.weights) == (change, weights)
