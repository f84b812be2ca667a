"""Writes masks as the regions that Label Studio's page shows (docs/label-studio-protocol.md, 5)."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backend.label_studio.kinds.kind import Form, RegionKind, Value
from backend.label_studio.labeling_config import Control
from backend.label_studio.parts import Parts, inside
from backend.label_studio.predict_request import Task
from backend.serving.answer import AnsweredObject
from backend.session.bitmask import Mask
from backend.session.regions import ImageKey
from backend.session.stored_masks import Polygons
from dynamite.polygons import Ring

log = logging.getLogger(__name__)

TOLERANCE = 1.0
"""How far an outline may lie from the edge of its mask, in pixels, where nobody says otherwise."""


@dataclass
class RegionWriter:
    """Writes the objects of one answer, each in the form of the tag that its label has.

    ``tolerance`` of outlines is in pixels; ``parts`` names those of objects in several regions.
    """

    task: Task
    tolerance: float = TOLERANCE
    parts: Parts = field(default_factory=Parts)
    _forms: dict[str, Form] = field(default_factory=dict)

    def as_stored(self, image: ImageKey, object_id: str, label: str, mask: Mask) -> Mask:
        """Return a mask as it will be read from the regions that hold it."""
        kind = _kind(self._control(image, object_id, label))
        parts = self.parts.known(object_id) or self._accepted_parts(object_id)
        known = tuple(ring * mask.shape[::-1] for ring in parts.values())
        self._forms[object_id] = form = kind.form(mask, self.tolerance, known)
        return form.mask

    def write(self, answered: AnsweredObject) -> list[dict[str, Any]]:
        """Return one object as entries of a prediction's ``result`` list.

        ``as_stored`` has been called for it. Accepting the entries replaces the regions with their
        ids.
        """
        form = self._forms[answered.id]
        control = self._control(answered.image, answered.id, answered.label)
        if form.lost:
            words = f"{control.title} cannot hold it all: {form.lost}"
            log.info("task %s: %s: %s", self.task.id, answered.label, words)
        labels = self._labels(answered)
        written: list[dict[str, Any]] = []
        for name, value, words in self._regions(answered, form):
            common = self._common(answered, name)
            if words:
                common["meta"] = {"text": [words]}
            written += _entries(common, control, value, labels)
        return written

    def _regions(self, answered: AnsweredObject, form: Form) -> Iterator[tuple[str, Value, str]]:
        """Yield id, value and words of each region; those of parts that are gone come last."""
        if form.outline is None:
            yield answered.id, form.values[0], form.lost
            return
        size = np.array(answered.mask.shape[::-1])
        accepted = self._accepted_parts(answered.id)
        rings = [ring / size for ring in form.rings]
        names, gone = self.parts.name(answered.id, rings, accepted)
        yield from zip(names, form.values, (form.lost, *[""] * (len(names) - 1)), strict=True)
        for name in gone:
            dot = inside(form.rings[0], (int(size[1]), int(size[0])))
            yield name, form.outline(dot / size * 100), "This part is gone: delete its region"

    def _accepted_parts(self, object_id: str) -> Mapping[str, Ring]:
        painted = self.task.masks.get(object_id)
        if painted is None or not isinstance(painted.stored, Polygons):
            return {}
        rings = map(np.asarray, painted.stored.rings)
        return dict(zip(painted.parts, rings, strict=True))

    def _control(self, image: ImageKey, object_id: str, label: str) -> Control:
        """Return the tag to write to: that of the region it replaces, if it takes the label."""
        config, replaced = self.task.config, self.task.masks.get(object_id)
        if replaced is not None and label in replaced.labels:
            for known in config.outputs(image.name):
                if known.name == replaced.from_name:
                    return known
        control = config.output(image.name, label)
        if control is None:
            raise ValueError(f"no tag takes masks with the label {label!r}")
        return control

    def _labels(self, answered: AnsweredObject) -> list[str]:
        """Return the labels to write: accepting sets them, so a region keeps all that it has."""
        replaced = self.task.masks.get(answered.id)
        if replaced is None or answered.label not in replaced.labels:
            return [answered.label]
        return list(replaced.labels)

    def _common(self, answered: AnsweredObject, name: str) -> dict[str, Any]:
        height, width = answered.mask.shape
        image = answered.image
        written: dict[str, Any] = {
            "id": name,
            "to_name": image.name,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
        }
        if image.index or any(t.many for t in self.task.config.images if t.name == image.name):
            written["item_index"] = image.index
        if answered.score is not None:
            written["score"] = round(answered.score, 4)
        return written


def _entries(
    common: Mapping[str, Any], control: Control, value: Value, labels: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield the entries of one region: two where its labels belong to a tag of their own."""
    if not control.labels_tag:
        labelled = {**value, control.type: labels}
        yield {**common, "from_name": control.name, "type": control.type, "value": labelled}
        return
    yield {**common, "from_name": control.name, "type": control.title.lower(), "value": value}
    labelled = {**value, "labels": labels}
    yield {**common, "from_name": control.labels_tag, "type": "labels", "value": labelled}


def _kind(control: Control) -> RegionKind:
    if control.kind is None:
        raise ValueError(f"{control.title} takes no masks")
    return control.kind
