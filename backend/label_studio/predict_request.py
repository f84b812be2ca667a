"""Reads the body of ``/predict`` into typed values (docs/label-studio-protocol.md, 3 and 4)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backend.errors import BadRequestError
from backend.label_studio.drafts import keep_prompts, read_saved_pages
from backend.label_studio.labeling_config import LabelingConfig, parse
from backend.label_studio.page_values import resolve
from backend.label_studio.raw_values import RegionError, shown
from backend.label_studio.region_reader import read_region
from backend.label_studio.result_list import as_asked
from backend.session.call import Call, Entry, SavedPage
from backend.session.paint import Paint
from backend.session.regions import ImageKey

MAX_REGIONS = 1000
"""Most regions of one context."""

MAX_TASKS = 10_000
"""Most tasks of one request."""

_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Task:
    """One task of a request.

    ``config`` is the labelling config as this task makes it; ``images`` are the unresolved
    addresses in its ``data``.
    """

    id: str
    config: LabelingConfig
    images: Mapping[ImageKey, str]
    drafts: tuple[SavedPage, ...] = ()
    annotations: tuple[SavedPage, ...] = ()
    predictions: tuple[SavedPage, ...] = ()

    @cached_property
    def masks(self) -> Mapping[str, Paint]:
        """The masks of the task by region id, as last saved; drafts override annotations."""
        found: dict[str, Paint] = {}
        for pages in (self.predictions, self.annotations, self.drafts):
            for saved in sorted(pages, key=lambda s: s.version):
                found |= saved.masks
        return found

    def accepts(self, image: ImageKey, label: str) -> bool:
        """Whether the page can show a mask with this label on this image."""
        return self.config.output(image.name, label) is not None


@dataclass(frozen=True)
class PredictRequest:
    """A request to ``/predict``. ``call`` is None for a batch (context null).

    ``notes`` say what was left out, for the log.
    """

    project: str
    tasks: tuple[Task, ...]
    call: Call | None
    notes: tuple[str, ...] = ()


def number_of(project: str) -> int | None:
    """Return a project's number, which Label Studio sends as in 3.1795330728; None without one."""
    number, _, _ = project.partition(".")
    return int(number) if _NUMBER.fullmatch(number) else None


def page_key(project: str, task: Task) -> str:
    """The name of a task among those of all projects; region ids are derived from it."""
    return f"{project}/{task.id}"


def read_request(
    body: object, background: Iterable[str] = ("Background",), like: Iterable[str] = ()
) -> PredictRequest:
    """Read the JSON body of ``/predict``; ``background`` and ``like`` are labels (``parse``).

    A region that cannot be used is left out and noted. If the context of an interactive request
    holds no other, that is an error.

    Raises:
        BadRequestError: with the code ``bad_body``, ``bad_label_config``, ``no_mask_labels``,
            ``unknown_label``, ``bad_region``, ``too_many_regions`` or ``no_image``.
    """
    fields = _object(body, "The request body")
    notes: list[str] = []
    project, tasks = read_tasks(fields, background, notes, like)
    params = fields.get("params")
    context = params.get("context") if isinstance(params, Mapping) else None
    call = None
    if context is not None:
        entries = _context(_object(context, "The field params.context"), tasks[0], notes)
        call = _call(project, tasks[0], entries)
    return PredictRequest(project, tasks, call, tuple(notes))


def read_tasks(
    fields: Mapping[str, Any],
    background: Iterable[str],
    notes: list[str],
    like: Iterable[str] = (),
) -> tuple[str, tuple[Task, ...]]:
    """Return a body's project and its tasks, at least one; note what was left out of them.

    Raises:
        BadRequestError: with the code ``bad_body`` or ``bad_label_config``.
    """
    raw_tasks = fields.get("tasks")
    if not isinstance(raw_tasks, list) or not raw_tasks:
        raise _bad("The request has no tasks: a list with at least one is needed.")
    if len(raw_tasks) > MAX_TASKS:
        raise _bad(f"The request has {len(raw_tasks)} tasks, more than {MAX_TASKS}.")
    config = parse(fields.get("label_config") or "", background, like)
    tasks = tuple(_task(_object(raw, "A task"), config, notes) for raw in raw_tasks)
    return str(fields.get("project") or ""), tasks


def image_addresses(data: object, config: LabelingConfig) -> dict[ImageKey, str]:
    """The unresolved addresses of a task's images, by tag and index in its list.

    An image whose tag shares its name with another one is left out: no region says which it means.
    """
    found: dict[ImageKey, str] = {}
    if not isinstance(data, Mapping):
        return found
    images = config.for_task(data).images
    uses = Counter(tag.name for tag in images)
    for tag in images:
        value = resolve(tag.value, data) if uses[tag.name] == 1 else None
        addresses = value if isinstance(value, list) else [value]
        for index, address in enumerate(addresses):
            if isinstance(address, str) and address:
                found[ImageKey(tag.name, index)] = address
    return found


def no_image(image: ImageKey, config: LabelingConfig) -> str:
    """Why a task has no such image, in words; ``config`` is as the task makes it."""
    values = [shown(tag.value) for tag in config.images if tag.name == image.name]
    if len(values) > 1:
        return (
            f"{len(values)} tags have the name {shown(image.name)}, so nothing says which image is "
            "meant: give each its own name (in <Repeater>, with {{idx}} in it)."
        )
    if values:
        return (
            f"The task has no image {image.index} for the tag {shown(image.name)}: its data has no "
            f"address at {values[0]}, which the labelling config names."
        )
    names = ", ".join(shown(tag.name) for tag in config.images[:5]) or "none"
    return (
        f"The task has no image for the tag {shown(image.name)}: the image tags that the labelling "
        f"configuration makes of its data are {names}{', …' * (len(config.images) > 5)}."
    )


def _task(raw: Mapping[str, Any], config: LabelingConfig, notes: list[str]) -> Task:
    task_id = raw.get("id")
    if isinstance(task_id, bool) or not isinstance(task_id, int | str):
        raise _bad(f"A task has the id {shown(task_id)}: a number is needed.")
    config = config.for_task(raw.get("data"))
    images = image_addresses(raw.get("data"), config)

    def saved_pages(kind: str) -> tuple[SavedPage, ...]:
        return read_saved_pages(kind, raw.get(f"{kind}s"), config, images.keys(), notes)

    return Task(
        id=str(task_id),
        config=config,
        images=images,
        drafts=saved_pages("draft"),
        annotations=saved_pages("annotation"),
        predictions=saved_pages("prediction"),
    )


def _call(project: str, task: Task, entries: tuple[Entry, ...]) -> Call:
    config = task.config
    named = {entry.id for entry in entries}
    return Call(
        page_key(project, task),
        entries,
        keep_prompts(task.drafts, config, named),
        keep_prompts(task.annotations, config, named),
        task.predictions,
        config.background,
        config.like,
    )


def _context(context: Mapping[str, Any], task: Task, notes: list[str]) -> tuple[Entry, ...]:
    result = context.get("result") or []
    if not isinstance(result, list):
        raise _bad(f"The field params.context.result is {type(result).__name__}: a list is needed.")
    if len(result) > MAX_REGIONS:
        raise BadRequestError(
            f"The context has {len(result)} regions, more than {MAX_REGIONS}: delete some.",
            code="too_many_regions",
        )
    entries: list[Entry] = []
    errors: list[BadRequestError] = []
    for raw in result:
        try:
            entry = _entry(raw, task)
        except BadRequestError as error:
            errors.append(error)
            continue
        if entry is None:
            kind = shown(raw.get("type"))
            notes.append(f"context: a region of type {kind} is no prompt; left out")
        else:
            entries.append(entry)
    if errors and not entries:
        raise errors[0]
    notes.extend(f"left out: {error}" for error in errors)
    return tuple(entries)


def _entry(raw: object, task: Task) -> Entry | None:
    try:
        entry = read_region(raw)
    except RegionError as error:
        raise BadRequestError(
            f"A region of the context cannot be used: {error}.", code="bad_region"
        ) from error
    if entry is None:
        return None
    _check(entry, task)
    return as_asked(entry, task.config)


def _check(entry: Entry, task: Task) -> None:
    config = task.config
    if entry.image not in task.images:
        raise BadRequestError(no_image(entry.image, config), code="no_image")
    if config.takes(entry.image.name, entry.label):
        return
    outputs = config.outputs(entry.image.name)
    if not outputs:
        raise BadRequestError(
            f"The labelling config has no tag for masks on image {shown(entry.image.name)}: "
            "they have nowhere to go. Add BrushLabels or BitmaskLabels with the labels of the "
            "keypoints.",
            code="no_mask_labels",
        )
    titles = " or ".join(dict.fromkeys(control.title for control in outputs))
    raise BadRequestError(
        f"The label {shown(entry.label)} is not in {titles}, so it cannot have a mask: use the "
        "same label values in the tags for clicks, boxes and masks.",
        code="unknown_label",
    )


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _bad(f"{what} is {type(value).__name__}: a JSON object is needed.")
    return value


def _bad(message: str) -> BadRequestError:
    return BadRequestError(message, code="bad_body")
