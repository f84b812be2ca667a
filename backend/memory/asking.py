"""Asks for memories: the worker of their queue looks at the annotation store every few seconds.

Nothing else has to ask, whatever tool an annotation comes from, and a killed worker costs nothing:
what a memory was made from is on its record. At most one job of a project is waiting or running.
It takes the newest state; what changes meanwhile is seen afterwards.
"""

from redis import Redis

from backend.jobs.job_queue import MEMORY
from backend.jobs.project_job import ProjectJob
from backend.memory.weights import current_weights
from backend.retraining.store import open_store
from backend.settings import Settings
from backend.settings.folders import memory_folder, store_folder
from training.annotation_store import is_there
from training.memory.kept import KeptMemories, Record

MEMORY_JOB = "backend.memory.jobs.remember"

JOB = ProjectJob("memory", MEMORY_JOB, MEMORY, seconds=1800)
"""Sixteen images take minutes."""


class Asking:
    """Enqueues the memories that are due. Called every few seconds by one thread."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._done: tuple[int, str] | None = None

    def __call__(self) -> None:
        """Ask for the memory of each project whose annotations or weights have changed.

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
        kept = KeptMemories(memory_folder(self._settings))
        for record in kept.records():
            if record.key not in projects:
                kept.forget(record.key)
        due = [
            one
            for one in projects
            if not _is_new(kept.record(one), changes[one], name) and not kept.newer(one)
        ]
        for project in due:
            JOB.ask(self._redis, project.source, project.number, changes[project], name)
        self._done = None if due else state


def _is_new(record: Record | None, change: int, weights: str) -> bool:
    return record is not None and (record.change, record.weights) == (change, weights)
