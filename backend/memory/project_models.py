"""The models with memory of a serving process: loaded ahead of clicks, at most a few."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from backend.serving.engine import Model
from dynamite.errors import DynamiteError
from training.memory.kept import KeptMemories, Project, Record

log = logging.getLogger(__name__)

POLL_SECONDS = 3.0

MOST = 8
"""Models with memory that are loaded: those of the projects last clicked in, then the newest."""

Load = Callable[[Model, str, Path], Model]
"""Returns a model with the memory of that digest, from that file."""


class ProjectModels:
    """Follows the memories on disk. Thread-safe; a click only looks a model up.

    Args:
        kept: the memories.
        current: returns the model that answers without memory.
        load: puts a memory into it.
    """

    def __init__(self, kept: KeptMemories, current: Callable[[], Model], load: Load) -> None:
        self._kept = kept
        self._current = current
        self._load = load
        self._lock = threading.Lock()
        self._used: dict[Project, None] = {}  # the last used one last
        self._models: dict[Project, Model] = {}
        self._failed: dict[Project, tuple[str, str]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memories", daemon=True)

    def start(self) -> None:
        """Load what there is every few seconds."""
        self._thread.start()

    def close(self) -> None:
        """Stop loading."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def choose(self, source: str, number: int | None, current: Model) -> Model:
        """Return the model with a project's memory, if it is loaded and fits; else ``current``.

        ``number`` is None where the tool does not say which project it asks for.
        """
        if number is None:
            return current
        project = (source, number)
        with self._lock:
            self._used.pop(project, None)
            self._used[project] = None
            for oldest in list(self._used)[:-MOST]:
                del self._used[oldest]
            found = self._models.get(project)
        return found if found is not None and found.version == current.version else current

    def records(self) -> list[Record]:
        """Return the records of all memories, the newest first."""
        return self._kept.records()

    @property
    def loaded(self) -> dict[Project, str]:
        """The digests of the memories in use, by project."""
        with self._lock:
            return {project: model.memory for project, model in self._models.items()}

    def check(self) -> None:
        """Load new memories and drop those that are off, gone, or of other weights."""
        current = self._current()
        wanted = self._wanted(current.version)
        with self._lock:
            before = self._models
        after = {}
        for record in wanted:
            model = self._find(record, current, before.get(record.key))
            if model is not None:
                after[record.key] = model
        with self._lock:
            self._models = after

    def _wanted(self, version: str) -> list[Record]:
        """Return the records of the memories to load, those of projects used last first."""
        with self._lock:
            used = list(reversed(self._used))
        on = [r for r in self._kept.records() if _answers(r) and r.model_version == version]
        ranks = {project: rank for rank, project in enumerate(used)}
        on.sort(key=lambda record: ranks.get(record.key, MOST))
        return on[:MOST]

    def _find(self, record: Record, current: Model, before: Model | None) -> Model | None:
        digest, without = record.digest or "", frozenset(record.without)
        if before is not None and (before.memory, before.plain) == (digest, current):
            return before if before.without == without else replace(before, without=without)
        if self._failed.get(record.key) == (digest, current.version):
            return None
        try:
            model = self._load(current, digest, self._kept.weights_path(record))
        except (DynamiteError, OSError) as error:
            log.warning("the memory of project %s:%d is not used: %s", *record.key, error)
            self._failed[record.key] = digest, current.version
            return None
        log.info("the memory of project %s:%d is in use: %s", *record.key, record.words)
        return replace(model, plain=current, without=without)

    def _run(self) -> None:
        while True:
            try:
                self.check()
            except Exception:
                log.exception("following the memories failed")
            if self._stop.wait(POLL_SECONDS):
                return


def _answers(record: Record) -> bool:
    return record.is_on and record.digest is not None
