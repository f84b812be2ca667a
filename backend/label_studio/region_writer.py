"""Writes masks as the regions that Label Studio's page shows (docs/label-studio-protocol.md, 5)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from backend.label_studio.labeling_config import BRUSH, LabelingConfig
from backend.serving.answering import AnsweredObject
from backend.session.paint import Paint


def write_region(
    answered: AnsweredObject,
    config: LabelingConfig,
    masks: Mapping[str, Paint] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return one object as an entry of a prediction's ``result`` list.

    Args:
        answered: an object with a label that a brush tag of its image takes.
        config: the project's labelling configuration.
        masks: the masks on the page by region id; accepting the answer replaces the one of its id.
    """
    from_name, labels = _tag_and_labels(answered, config, masks.get(answered.id))
    height, width = answered.mask.shape
    image = answered.image
    written: dict[str, Any] = {
        "id": answered.id,
        "from_name": from_name,
        "to_name": image.name,
        "type": BRUSH,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": answered.rle, BRUSH: labels},
    }
    if image.index or any(tag.many for tag in config.images if tag.name == image.name):
        written["item_index"] = image.index
    if answered.score is not None:
        written["score"] = round(answered.score, 4)
    return written


def _tag_and_labels(
    answered: AnsweredObject, config: LabelingConfig, replaced: Paint | None
) -> tuple[str, list[str]]:
    """Return the tag and the labels to write.

    Accepting sets both, so the region it replaces keeps its own, unless it was relabelled.
    """
    brushes = config.of_type(BRUSH, answered.image.name)
    name = next(brush.name for brush in brushes if brush.offers(answered.label))
    if replaced is None or answered.label not in replaced.labels:
        return name, [answered.label]
    if replaced.from_name in {brush.name for brush in brushes}:
        name = replaced.from_name
    return name, list(replaced.labels)
