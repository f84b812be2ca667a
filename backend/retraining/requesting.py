"""Whether training is due, and the one job that all ways to start it end in."""

import logging

from backend.label_studio.ingest.context import Context
from backend.retraining.requests import TrainingRequest, enqueue_training
from backend.retraining.status import note_asked
from backend.retraining.training_queue import is_training
from backend.settings.folders import has_begun, open_registry, run_folder, snapshot_folder
from backend.settings.retraining import parse_projects
from dynamite.errors import DynamiteError
from training.annotation_store import Snapshot, SnapshotRules, write_snapshot

log = logging.getLogger(__name__)


def request_if_enough(context: Context, project: int) -> str:
    """Ask for a training if enough was accepted since the last one; empty if not."""
    enough = context.settings.train_after
    line = context.settings.line_of(project)
    new = context.store.new_since_training(line, projects_of(context, line))
    if not enough or new < enough or is_training(context.redis, line):
        return ""
    return request(context, line, f"{new} new annotations")


def request_where_due(context: Context) -> None:
    """What was accepted while a training was on its way may be enough for the next.

    A line that cannot be asked for, its models being away, does not stop the others.
    """
    for project in context.store.projects():
        try:
            request_if_enough(context, project)
        except (DynamiteError, OSError) as error:
            line = context.settings.line_of(project)
            log.warning("no training of %s is asked for: %s", line, error)


def request(context: Context, line: str, reason: str, *, force: bool = False) -> str:
    """Ask for a training of a line on what is accepted now; what came of it, in words.

    The same data are trained on once, however often and by whomever it is asked for, unless
    ``force``. The answer is on the status page: Label Studio's button gives none of its own.
    """
    outcome = _request(context, line, reason, force=force)
    note_asked(context.redis, line, reason, outcome)
    return outcome


def _request(context: Context, line: str, reason: str, *, force: bool) -> str:
    settings = context.settings
    snapshot = take_snapshot(context, line)
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
        begun=has_begun(context.redis, models) and not force,
    )
    words = enqueue_training(context.redis, wanted, force=force)
    context.store.note_trained(line, snapshot.change)
    return words


def take_snapshot(context: Context, line: str) -> Snapshot:
    """What is accepted now in the projects of a line."""
    projects = projects_of(context, line)
    exhaustive = parse_projects(context.settings.exhaustive_projects)
    rules = SnapshotRules(
        holdout=context.settings.holdout_share,
        exhaustive=frozenset(projects) if exhaustive is None else exhaustive,
    )
    return write_snapshot(context.store, projects, snapshot_folder(context.settings), rules)


def projects_of(context: Context, line: str) -> list[int]:
    """The projects whose annotations a line is trained on."""
    return [p for p in context.store.projects() if context.settings.line_of(p) == line]
