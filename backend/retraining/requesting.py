"""Whether training is due, and the one job that all ways to start it end in."""

import logging

from redis import Redis

from backend.retraining.requests import TrainingRequest, enqueue_training
from backend.retraining.status import note_asked
from backend.retraining.training_queue import is_training
from backend.settings import Settings
from backend.settings.folders import has_begun, open_registry, run_folder, snapshot_folder
from dynamite.errors import DynamiteError
from training.annotation_store import (
    AnnotationStore,
    ProjectKey,
    Snapshot,
    SnapshotRules,
    write_snapshot,
)

log = logging.getLogger(__name__)


def request_if_enough(
    settings: Settings, store: AnnotationStore, redis: Redis, project: ProjectKey
) -> str:
    """Ask for a training if enough was accepted since the last one; empty if not."""
    enough = settings.train_after
    line = settings.line_of(project)
    new = store.new_since_training(line, projects_of(settings, store, line))
    if not enough or new < enough or is_training(redis, line):
        return ""
    return request_training(settings, store, redis, line, f"{new} new annotations")


def request_where_due(settings: Settings, store: AnnotationStore, redis: Redis) -> None:
    """What was accepted while a training was on its way may be enough for the next.

    A line that cannot be asked for, its models being away, does not stop the others.
    """
    for project in store.projects():
        try:
            request_if_enough(settings, store, redis, project)
        except (DynamiteError, OSError) as error:
            line = settings.line_of(project)
            log.warning("no training of %s is asked for: %s", line, error)


def request_training(
    settings: Settings,
    store: AnnotationStore,
    redis: Redis,
    line: str,
    reason: str,
    *,
    force: bool = False,
) -> str:
    """Ask for a training of a line on what is accepted now; what came of it, in words.

    The same data are trained on once, however often and by whomever it is asked for, unless
    ``force``. The answer is on the status page: Label Studio's button gives none of its own.
    """
    outcome = _request(settings, store, redis, line, reason, force=force)
    note_asked(redis, line, reason, outcome)
    return outcome


def _request(
    settings: Settings, store: AnnotationStore, redis: Redis, line: str, reason: str, *, force: bool
) -> str:
    snapshot = take_snapshot(settings, store, line)
    if not snapshot.images["corrected"] + snapshot.images["unchanged"]:
        return f"nothing to train {line} on: {sum(snapshot.images.values())} images are accepted"
    models = open_registry(settings, line)
    wanted = TrainingRequest(
        line=line,
        reason=reason,
        digest=snapshot.digest,
        snapshot=str(snapshot.folder),
        images=snapshot.images,
        models=str(models.folder),
        run=str(run_folder(settings) / f"{line}-{snapshot.digest}"),
        settings=settings,
        begun=has_begun(redis, models) and not force,
    )
    words = enqueue_training(redis, wanted, force=force)
    store.note_trained(line, snapshot.change)
    return words


def take_snapshot(settings: Settings, store: AnnotationStore, line: str) -> Snapshot:
    """What is accepted now in the projects of a line."""
    projects = projects_of(settings, store, line)
    rules = SnapshotRules(
        holdout=settings.holdout_share,
        exhaustive=frozenset(filter(settings.is_exhaustive, projects)),
    )
    return write_snapshot(store, projects, snapshot_folder(settings), rules)


def projects_of(settings: Settings, store: AnnotationStore, line: str) -> list[ProjectKey]:
    """The projects whose annotations a line is trained on."""
    return [p for p in store.projects() if settings.line_of(p) == line]
