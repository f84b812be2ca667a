"""Collects the accepted annotations of one project into a store of their own, for an export.

An interrupted collection goes on where it ended: what the store has in the same version is not read
again, and its images are not fetched again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backend.errors import BadRequestError
from backend.label_studio.api import NOT_FOUND, LabelStudioApi, NotThereError
from backend.label_studio.ingest.ingest import TryLaterError
from backend.label_studio.ingest.kept_images import ImageKeeper, with_images
from backend.label_studio.ingest.masks import read_masks
from backend.label_studio.ingest.store_annotation import set_aside, without_images
from backend.label_studio.ingest.values import Json
from backend.label_studio.labeling_config import LabelingConfig, parse
from training.annotation_store import AcceptedAnnotation, AnnotationKey, Rejection


@dataclass
class Collected:
    """What a project holds besides masks.

    Attributes:
        labels: of its brushes, in the order of its labelling config.
        unreachable: why an image could not be fetched, by the number of its task.
    """

    labels: tuple[str, ...]
    unreachable: dict[int, str] = field(default_factory=dict)


def collect(
    project: int,
    api: LabelStudioApi,
    keeper: ImageKeeper,
    *,
    source: str,
    background: tuple[str, ...],
    skip_unreachable: bool,
    advance: Callable[[], None],
) -> Collected:
    """Bring a store to the state of a project. Masks are read as for trainings.

    Args:
        project: its number.
        api: its Label Studio.
        keeper: fetches images into the store.
        source: the name of that Label Studio.
        background: the labels of background clicks.
        skip_unreachable: leave out images that cannot be fetched at the moment.
        advance: called after each task.

    Raises:
        ApiError: Label Studio does not answer, or refuses.
        TryLaterError: an image cannot be fetched at the moment; what came before it is kept.
        BadRequestError: the labelling config cannot be used.
    """
    try:
        described = api.get(f"/api/projects/{project}")
    except NotThereError:
        raise NotThereError(f"Label Studio has no project {project}", NOT_FOUND) from None
    config = parse(described.get("label_config") or "", background)
    offered = [label for control in config.outputs() for label in control.labels]
    found = Collected(tuple(dict.fromkeys(offered)))
    seen: set[AnnotationKey] = set()
    for task in api.tasks(project):
        for annotation in _annotations(task, api):
            try:
                entry = without_images(annotation, task, described, source)
                if entry.cancelled:
                    continue
                seen.add(entry.key)
                if keeper.store.refusal(entry, revive=True) is None:
                    _keep(entry, annotation, task, config, keeper)
            except BadRequestError as error:
                rejection = Rejection("bad_annotation", str(error))
                set_aside(annotation, task, described, rejection, keeper.store, source)
            except TryLaterError as error:
                if not skip_unreachable:
                    raise TryLaterError(f"task {task['id']}: {error}") from error
                found.unreachable[task["id"]] = str(error)
        advance()
    kept = {one.key for one in keeper.store.annotations()}
    keeper.store.delete(*kept - seen)  # deleted since an interrupted collection
    return found


def _annotations(task: Json, api: LabelStudioApi) -> list[Json]:
    """Return the annotations of a task; it is not asked for if it has none."""
    if not task.get("total_annotations"):  # those of skipped tasks are counted elsewhere
        return []
    return list(api.get(f"/api/tasks/{task['id']}/annotations/") or [])


def _keep(
    entry: AcceptedAnnotation,
    annotation: Json,
    task: Json,
    config: LabelingConfig,
    keeper: ImageKeeper,
) -> None:
    own = config.for_task(task.get("data"))
    masks = read_masks(annotation.get("result"), own, {})
    images = with_images(masks, task, own, (), keeper)
    keeper.store.apply(replace(entry, images=images), masks.rejections, revive=True)
