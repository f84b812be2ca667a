"""Decides whether a training is due, and requests it: every way to start one ends here."""

import logging
from collections.abc import Mapping

from redis import Redis

from backend.retraining.due import Due, look_up_due, note_due
from backend.retraining.enqueueing import enqueue_training
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
from training.retraining.options import JobOptions, TrainingOptions
from training.retraining.request import RetrainingRequest

log = logging.getLogger(__name__)


class TooFewHeldOutError(DynamiteError):
    """Too few images are held out for the result of a training to be published."""


def request_if_enough(
    settings: Settings, store: AnnotationStore, redis: Redis, project: ProjectKey
) -> str:
    """Request a training if enough was accepted since the last one; empty if not."""
    line = settings.line_of(project)
    due = publish_due(settings, store, redis, line)
    if not due.is_due:
        return ""
    return request_training(settings, store, redis, line, f"{due.new} new annotations")


def publish_due(settings: Settings, store: AnnotationStore, redis: Redis, line: str) -> Due:
    """Look up how far a line is from its next training, and put it on the status page."""
    projects = projects_of(settings, store, line)
    due = look_up_due(settings, store, line, projects, is_training=is_training(redis, line))
    note_due(redis, line, due)
    return due


def request_where_due(settings: Settings, store: AnnotationStore, redis: Redis) -> None:
    """Request trainings of all lines that have enough annotations.

    They may have come while the last training was under way. A line whose models are away does not
    stop the others.
    """
    if not store.projects():
        publish_due(settings, store, redis, settings.line)
    for project in store.projects():
        try:
            request_if_enough(settings, store, redis, project)
        except (DynamiteError, OSError) as error:
            line = settings.line_of(project)
            log.warning("no training of %s is requested: %s", line, error)


def request_training(
    settings: Settings,
    store: AnnotationStore,
    redis: Redis,
    line: str,
    reason: str,
    *,
    force: bool = False,
    only_publishable: bool = False,
) -> str:
    """Request a training of a line on what is accepted now; return what came of it, in words.

    Unless ``force``, the same data are trained on once, however often it is requested. The outcome
    is also on the status page, because Label Studio's button shows none.

    Raises:
        TooFewHeldOutError: With ``only_publishable``: no result could be published.
    """
    snapshot = take_snapshot(settings, store, line)
    if only_publishable:
        try:
            _check_held_out(snapshot.images, settings.judge_least)
        except TooFewHeldOutError as error:
            note_asked(redis, line, reason, str(error))
            raise
    outcome = _request(settings, store, redis, line, reason, snapshot, force=force)
    note_asked(redis, line, reason, outcome)
    publish_due(settings, store, redis, line)
    return outcome


def _check_held_out(images: Mapping[str, int], least: int) -> None:
    held_out = images["holdout"]
    if sum(images.values()) and held_out < least:
        raise TooFewHeldOutError(
            f"no training is requested: only {held_out} images are held out, and {least} are "
            "needed to publish its result. Accept annotations of more images, or train all the "
            "same with `dynamite retrain --force`"
        )


def _request(
    settings: Settings,
    store: AnnotationStore,
    redis: Redis,
    line: str,
    reason: str,
    snapshot: Snapshot,
    *,
    force: bool,
) -> str:
    if not snapshot.images["corrected"] + snapshot.images["unchanged"]:
        return f"nothing to train {line} on: {sum(snapshot.images.values())} images are accepted"
    models = open_registry(settings, line)
    request = RetrainingRequest(
        line=line,
        reason=reason,
        digest=snapshot.digest,
        change=snapshot.change,
        snapshot=snapshot.folder,
        images=snapshot.images,
        models=models.folder,
        run=run_folder(settings) / f"{line}-{snapshot.digest}",
        begun=has_begun(redis, models) and not force,
        preset=settings.preset,
        checkpoint=settings.checkpoint.resolve() if settings.checkpoint else None,
        options=job_options(settings),
    )
    words = enqueue_training(redis, request, 3600 * settings.train_hours, force=force)
    store.note_trained(line, snapshot.change)
    return words


def job_options(settings: Settings) -> JobOptions:
    """Return the settings that a training job is told; its folders do not depend on ours."""
    values = settings.model_dump(include=set(TrainingOptions.model_fields))
    if settings.train_base_root is not None:
        values["train_base_root"] = settings.train_base_root.resolve()
    return JobOptions(**values)


def take_snapshot(settings: Settings, store: AnnotationStore, line: str) -> Snapshot:
    """Write a snapshot of what is accepted now in the projects of a line."""
    projects = projects_of(settings, store, line)
    rules = SnapshotRules(
        holdout=settings.holdout_share,
        exhaustive=frozenset(filter(settings.is_exhaustive, projects)),
    )
    return write_snapshot(store, projects, snapshot_folder(settings), rules)


def projects_of(settings: Settings, store: AnnotationStore, line: str) -> list[ProjectKey]:
    """Return the projects whose annotations a line is trained on."""
    return [p for p in store.projects() if settings.line_of(p) == line]
