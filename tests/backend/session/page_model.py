"""A model of Label Studio's page and server, as far as a backend can tell (no browser, no HTTP).

Measured behavior it copies: contexts hold one type and one label; drafts hold everything, in the
order of the page, saved at most every five seconds; every answer replaces all suggestions; accept
all deletes every smart region, accept one does not; an accepted region replaces the one of its id
in place; undo, delete, accept and reject make no call.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.label_studio import config_writer
from backend.label_studio.kinds.bitmask import Bitmask
from backend.label_studio.kinds.table import BY_TYPE
from backend.label_studio.parts import Parts
from backend.label_studio.predict import write_prediction
from backend.label_studio.predict_request import read_request
from backend.label_studio.region_reader import read_region
from backend.label_studio.region_writer import RegionWriter
from backend.serving.answer import compose_answer
from backend.session.hold_still import shown_before
from backend.session.paint import Paint
from backend.session.store import SessionStore
from dynamite import brush_rle
from dynamite.predict.hold_still import hold_still
from tests.fakes import discs

WIDTH, HEIGHT = 90, 60
AUTOSAVE = 5.0
RADIUS = 9

Region = dict[str, Any]
Mask = npt.NDArray[np.bool_]


@dataclass
class Backend:
    """The path of a call without HTTP and network; ``restart`` is a kill and a start."""

    store: SessionStore = field(default_factory=SessionStore)
    size: tuple[int, int] = (HEIGHT, WIDTH)
    calls: list[dict[str, Any]] = field(default_factory=list)
    parts: Parts = field(default_factory=Parts)

    def restart(self) -> None:
        self.store = SessionStore()
        self.parts = Parts()

    def __call__(self, body: dict[str, Any]) -> list[Region]:
        self.calls.append(body)
        request = read_request(body)
        assert request.call is not None
        ticket = self.store.begin(request.call)
        if ticket.plan.is_stale:
            return []
        segmented = {}
        for image in ticket.plan.images:
            clicks = image.click_set(*self.size)
            if clicks is not None:
                found = discs(clicks, *self.size, RADIUS)
                if shown := shown_before(image, *self.size):
                    found.label_map = hold_still(found.label_map, shown)
                segmented[image.image] = found
        writer = RegionWriter(request.tasks[0], tolerance=0, parts=self.parts)
        accepts = request.tasks[0].accepts
        answer = compose_answer(ticket.plan, segmented, accepts, "discs", writer.as_stored)
        self.store.remember(ticket, {o.id: o.bits for o in answer.objects}, segmented.keys())
        return write_prediction(answer, writer)["result"]


@dataclass
class Server:
    """One task of one project."""

    output: str = "brush"
    task: int = 7
    clock: float = 0.0
    drafts: dict[str, dict[str, Any]] = field(default_factory=dict)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    predictions: list[dict[str, Any]] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=count)

    def body(self, user: str, context: list[Region] | None) -> dict[str, Any]:
        task = {
            "id": self.task,
            "data": {"image": f"/data/upload/{self.task}/photo.jpg"},
            "drafts": [self.drafts[user]] if user in self.drafts else [],
            "annotations": self.annotations,
            "predictions": self.predictions,
        }
        return copy.deepcopy(
            {
                "tasks": [task],
                "project": "1.1",
                "label_config": config_writer.write(["A", "B", "C"], output=self.output),
                "params": {"context": None if context is None else {"result": context}},
            }
        )

    def stamp(self) -> str:
        return f"2026-11-22T07:{int(self.clock) // 60:02d}:{self.clock % 60:09.6f}Z"


class Page:
    """One person with one task open."""

    def __init__(
        self,
        server: Server,
        backend: Callable[[dict[str, Any]], list[Region]],
        *,
        user: str = "1",
        auto_accept: bool = False,
        instant_save: bool = False,
    ) -> None:
        self.server = server
        self.backend = backend
        self.user = user
        self.auto_accept = auto_accept
        self.instant_save = instant_save
        self.regions: dict[str, Region] = {}
        self.smart: set[str] = set()
        self.suggestions: dict[str, Region] = {}
        self.history: list[tuple[dict[str, Region], set[str]]] = []
        self.unsaved_since: float | None = None
        self.last_save = -100.0

    # what the person does

    def click(self, label: str, x: float, y: float, *, positive: bool = True) -> list[Region]:
        """A smart keypoint at pixel x, y; the answer."""
        region = self._region(
            "keypointlabels", "click", label, x=100 * x / WIDTH, y=100 * y / HEIGHT, width=0.25
        )
        region["is_positive"] = positive
        region["value"]["labels"] = [label]
        return self._draw(region)

    def rectangle(
        self, label: str, x: float, y: float, width: float, height: float
    ) -> list[Region]:
        """A smart rectangle in pixels; the answer."""
        box = {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, "rotation": 0}
        size = {"width": 100 * width / WIDTH, "height": 100 * height / HEIGHT}
        return self._draw(self._region("rectanglelabels", "box", label, **box, **size))

    def drag(self, region: str, x: float, y: float) -> list[Region]:
        """Move a keypoint."""
        return self.change(region, x=100 * x / WIDTH, y=100 * y / HEIGHT)

    def change(self, region: str, **value: Any) -> list[Region]:
        """Move, resize, turn or relabel a keypoint or rectangle; ``value`` as the page has it."""
        self._remember()
        changed = copy.deepcopy(self.regions[region])
        changed["value"] |= value
        self.regions[region] = changed
        return self._call(changed)

    def paint(self, label: str, x0: float, y0: float, x1: float, y1: float) -> str:
        """A stroke of the ordinary brush, in pixels; no call."""
        flat = [100 * x0 / WIDTH, 100 * y0 / HEIGHT, 100 * x1 / WIDTH, 100 * y1 / HEIGHT]
        touch = {"type": "add", "relativePoints": flat, "relativeStrokeWidth": 100 * 6 / WIDTH}
        value: dict[str, Any] = {"format": "rle", "touches": [touch]}
        if self.server.output == "bitmask":  # the page draws it at once
            value = dict(Bitmask().form(stroke_mask(touch), 0).values[0])
        region = self._region(f"{self.server.output}labels", "mask", label, **value)
        self._remember()
        self.regions[region["id"]] = region
        self._changed()
        return str(region["id"])

    def delete(self, region: str) -> None:
        """Backspace: the suggestion stays."""
        self._remember()
        self.regions.pop(region)
        self.smart.discard(region)
        self._changed()

    def undo(self) -> None:
        """Ctrl+Z: the suggestions stay."""
        if self.history:
            self.regions, self.smart = self.history.pop()
            self._changed()

    def accept_all(self) -> None:
        self._remember()
        for region in list(self.suggestions):
            self._accept(region)
        self._delete_smart()
        self._changed()

    def accept_one(self, region: str) -> None:
        self._remember()
        self._accept(region)
        self._changed()

    def reject_all(self) -> None:
        self._remember()
        self.suggestions.clear()
        self._delete_smart()
        self._changed()

    def wait(self, seconds: float = 2 * AUTOSAVE) -> None:
        """Time passes; what is due is saved."""
        self.server.clock += seconds
        self.flush()

    def reload(self) -> None:
        """Saved on leaving; keypoints come back as ordinary ones, suggestions do not."""
        self.save()
        self.suggestions.clear()
        self.history.clear()
        for region in self.smart:
            self.regions[region].pop("is_positive", None)
            self.regions[region]["value"].pop("labels", None)
        self.smart.clear()

    def prefill(self) -> None:
        """The newest prediction is copied into a new annotation, under the same ids."""
        for region in copy.deepcopy(self.server.predictions[-1]["result"]):
            self.regions[region["id"]] = region

    def submit(self) -> None:
        """The annotation is stored, the draft goes."""
        result = copy.deepcopy(list(self.regions.values()))
        for region in result:
            if "touches" in region["value"]:
                region["value"] = {
                    "format": "rle",
                    "rle": brush_rle.encode(self.mask(region["id"])),
                    "brushlabels": region["value"]["brushlabels"],
                }
        annotation = {"id": len(self.server.annotations) + 1, "completed_by": int(self.user)}
        self.server.annotations.append(
            {**annotation, "result": result, "updated_at": self.server.stamp()}
        )
        self.server.drafts.pop(self.user, None)
        self.suggestions.clear()

    # what lies on the page

    def keypoints(self, label: str | None = None) -> list[Region]:
        found = [r for r in self.regions.values() if r["type"] == "keypointlabels"]
        return [r for r in found if label is None or self.label(r) == label]

    def accepted(self, label: str | None = None) -> dict[str, Mask]:
        masks = [raw for raw in self.regions.values() if raw["type"] in BY_TYPE]
        return objects_of([raw for raw in masks if label in (None, self.label(raw))])

    def shown(self) -> dict[str, Mask]:
        return objects_of(self.suggestions.values())

    def mask(self, region: str) -> Mask:
        return mask_of(self.regions[region])

    @staticmethod
    def label(region: Region) -> str:
        return str(region["value"][region["type"]][0])

    # how the page works

    def save(self) -> None:
        self.unsaved_since = None
        self.last_save = self.server.clock
        self.server.clock += 0.001
        old = self.server.drafts.get(self.user, {"id": 100 + int(self.user)})
        self.server.drafts[self.user] = {
            **old,
            "user": f"user{self.user}@example.com",
            "created_username": f"user{self.user}@example.com, {self.user}",
            "annotation": None,
            "updated_at": self.server.stamp(),
            "result": copy.deepcopy(list(self.regions.values())),
        }

    def flush(self) -> None:
        if self.unsaved_since is not None:
            due = max(self.last_save, self.unsaved_since) + AUTOSAVE
            if self.instant_save or self.server.clock >= due:
                self.save()

    def _region(self, kind: str, control: str, label: str, **value: Any) -> Region:
        return {
            "original_width": WIDTH,
            "original_height": HEIGHT,
            "image_rotation": 0,
            "value": {**value, kind: [label]},
            "id": f"key{next(self.server.ids)}",
            "from_name": control,
            "to_name": "image",
            "type": kind,
            "origin": "manual",
        }

    def _draw(self, region: Region) -> list[Region]:
        self._remember()
        self.regions[region["id"]] = region
        self.smart.add(region["id"])
        return self._call(region)

    def _call(self, drawn: Region) -> list[Region]:
        alike = [
            region
            for region in self.regions.values()
            if region["type"] == drawn["type"] and self.label(region) == self.label(drawn)
        ]
        result = self.backend(self.server.body(self.user, alike))
        self.suggestions = {region["id"]: region for region in result}
        self._changed()
        if self.auto_accept:
            self.accept_all()
        return result

    def _accept(self, region: str) -> None:
        raw = copy.deepcopy(self.suggestions.pop(region))
        self.regions[region] = {**raw, "origin": "manual"}

    def _delete_smart(self) -> None:
        for region in self.smart:
            self.regions.pop(region, None)
        self.smart.clear()

    def _remember(self) -> None:
        self.history.append((dict(self.regions), set(self.smart)))

    def _changed(self) -> None:
        if self.unsaved_since is None:
            self.unsaved_since = self.server.clock
        self.flush()


def objects_of(regions: Iterable[Region]) -> dict[str, Mask]:
    """The masks of objects; one may have several regions."""
    found: dict[str, Mask] = {}
    for region in regions:
        name = region["id"].partition("~")[0]
        found[name] = mask_of(region) | found.get(name, np.zeros((HEIGHT, WIDTH), np.bool_))
    return found


def mask_of(region: Region) -> Mask:
    """The pixels of a region."""
    value = region["value"]
    if "rle" not in value and "touches" not in value:
        painted = read_region(region)
        assert isinstance(painted, Paint)
        return painted.pixels()
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if value.get("rle"):
        mask = brush_rle.decode(value["rle"], (HEIGHT, WIDTH))
    canvas = mask > 127
    for touch in value.get("touches", []):
        canvas = canvas | stroke_mask(touch)
    return canvas


def stroke_mask(touch: dict[str, Any]) -> Mask:
    """The pixels of a straight stroke, thick enough to be tested."""
    x0, y0, x1, y1 = np.array(touch["relativePoints"]) / 100 * [WIDTH, HEIGHT, WIDTH, HEIGHT]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
    along = np.clip(((columns - x0) * (x1 - x0) + (rows - y0) * (y1 - y0)) / length, 0, 1)
    reach = touch["relativeStrokeWidth"] / 100 * WIDTH / 2
    distance = np.hypot(columns - x0 - along * (x1 - x0), rows - y0 - along * (y1 - y0))
    return np.asarray(distance < reach)
