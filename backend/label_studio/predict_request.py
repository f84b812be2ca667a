"""The body of ``/predict`` → typed values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.errors import BadRequestError
from backend.label_studio.drafts import asking, read_saved_pages
from backend.label_studio.labeling_config import LabelingConfig, parse
from backend.label_studio.region_reader import RegionError, read_region, shown
from backend.session.call import Evidence, ImageKey, Painted, Prompt, SavedPage

MAX_REGIONS = 1000
"""Most regions of one context."""
MAX_TASKS = 10_000
"""Most tasks of one call."""


@dataclass(frozen=True)
class Task:
    """One task of a call. ``images`` are the unresolved addresses in ``data``."""

    id: str
    images: Mapping[ImageKey, str]
    drafts: tuple[SavedPage, ...] = ()
    annotations: tuple[SavedPage, ...] = ()
    predictions: tuple[SavedPage, ...] = ()

    @cached_property
    def painted(self) -> Mapping[str, Painted]:
        """The masks of the task by region id, as last saved: a draft is ahead of annotations."""
        found: dict[str, Painted] = {}
        for kind in (self.predictions, self.annotations, self.drafts):
            for saved in sorted(kind, key=lambda s: s.version):
                found |= saved.painted
        return found


@dataclass(frozen=True)
class Call:
    """A call of ``/predict``; ``evidence`` is None for a batch (context null)."""

    project: str
    config: LabelingConfig
    tasks: tuple[Task, ...]
    evidence: Evidence | None
    notes: tuple[str, ...] = ()


def page_key(project: str, task: Task) -> str:
    """The name of a task among those of all projects, from which its regions get their ids."""
    return f"{project}/{task.id}"


def read_call(body: object, background: Iterable[str] = ("Background",)) -> Call:
    """Read the JSON body of ``/predict``.

    A region that cannot be used is left out and noted in ``notes``, for the log; where the context
    of an interactive call holds no other, it is an error.

    Raises:
        BadRequestError: with codes ``bad_body``, ``bad_label_config``, ``no_brush_labels``,
            ``unknown_label``, ``bad_region``, ``too_many_regions``, ``no_image``.
    """
    fields = _object(body, "The request body")
    raw_tasks = fields.get("tasks")
    if not isinstance(raw_tasks, list) or not raw_tasks:
        raise _bad("The request has no tasks: a list with at least one is needed.")
    if len(raw_tasks) > MAX_TASKS:
        raise _bad(f"The request has {len(raw_tasks)} tasks, more than {MAX_TASKS}.")
    config = parse(fields.get("label_config") or "", background)
    notes: list[str] = []
    tasks = tuple(_task(_object(raw, "A task"), config, notes) for raw in raw_tasks)
    project = str(fields.get("project") or "")
    params = fields.get("params")
    context = params.get("context") if isinstance(params, Mapping) else None
    evidence = None
    if context is not None:
        task = tasks[0]
        regions = _context(_object(context, "The field params.context"), task, config, notes)
        said = {region.id for region in regions}
        drafts = asking(task.drafts, config, said)
        annotations = asking(task.annotations, config, said)
        evidence = Evidence(
            page_key(project, task),
            regions,
            drafts,
            annotations,
            task.predictions,
            config.background,
        )
    return Call(project, config, tasks, evidence, tuple(notes))


def _task(raw: Mapping[str, Any], config: LabelingConfig, notes: list[str]) -> Task:
    task_id = raw.get("id")
    if isinstance(task_id, bool) or not isinstance(task_id, int | str):
        raise _bad(f"A task has the id {shown(task_id)}: a number is needed.")
    images = image_addresses(raw.get("data"), config)

    def saved_pages(kind: str) -> tuple[SavedPage, ...]:
        return read_saved_pages(kind, raw.get(f"{kind}s"), images.keys(), notes)

    return Task(
        id=str(task_id),
        images=images,
        drafts=saved_pages("draft"),
        annotations=saved_pages("annotation"),
        predictions=saved_pages("prediction"),
    )


def image_addresses(data: object, config: LabelingConfig) -> dict[ImageKey, str]:
    """The unresolved addresses of a task's images, by tag and place in its list."""
    found: dict[ImageKey, str] = {}
    if not isinstance(data, Mapping):
        return found
    for tag in config.images:
        value = data.get(tag.value)
        addresses = value if isinstance(value, list) else [value]
        for index, address in enumerate(addresses):
            if isinstance(address, str):
                found[ImageKey(tag.name, index)] = address
    return found


def _context(
    context: Mapping[str, Any], task: Task, config: LabelingConfig, notes: list[str]
) -> tuple[Prompt | Painted, ...]:
    result = context.get("result") or []
    if not isinstance(result, list):
        raise _bad(f"The field params.context.result is {type(result).__name__}: a list is needed.")
    if len(result) > MAX_REGIONS:
        raise BadRequestError(
            f"The context has {len(result)} regions, more than {MAX_REGIONS}: delete some.",
            code="too_many_regions",
        )
    regions: list[Prompt | Painted] = []
    errors: list[BadRequestError] = []
    for raw in result:
        try:
            region = _region(raw, task, config)
        except BadRequestError as error:
            errors.append(error)
            continue
        if region is None:
            kind = shown(raw.get("type"))
            notes.append(f"context: a region of type {kind} is no prompt; left out")
        else:
            regions.append(region)
    if errors and not regions:
        raise errors[0]
    notes.extend(f"left out: {error}" for error in errors)
    return tuple(regions)


def _region(raw: object, task: Task, config: LabelingConfig) -> Prompt | Painted | None:
    try:
        region = read_region(raw)
    except RegionError as error:
        raise BadRequestError(
            f"A region of the context cannot be used: {error}.", code="bad_region"
        ) from error
    if region is not None:
        _check(region, task, config)
    return region


def _check(region: Prompt | Painted, task: Task, config: LabelingConfig) -> None:
    if region.image not in task.images:
        fields = ", ".join(shown(tag.value) for tag in config.images) or "none"
        raise BadRequestError(
            f"The task has no image {region.image.index} for the tag "
            f"{shown(region.image.name)}: the labelling configuration names the fields {fields}.",
            code="no_image",
        )
    if config.takes(region.image.name, region.label):
        return
    if config.brush(region.image.name) is None:
        raise BadRequestError(
            "The labelling configuration has no BrushLabels for image "
            f"{shown(region.image.name)}: "
            "masks have nowhere to go. Add a BrushLabels tag with the labels of the keypoints.",
            code="no_brush_labels",
        )
    raise BadRequestError(
        f"The label {shown(region.label)} is not in BrushLabels, so it cannot have a mask: use the "
        "same label values in the keypoint, rectangle and brush tags.",
        code="unknown_label",
    )


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _bad(f"{what} is {type(value).__name__}: a JSON object is needed.")
    return value


def _bad(message: str) -> BadRequestError:
    return BadRequestError(message, code="bad_body")
