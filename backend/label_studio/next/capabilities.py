"""What the next editor may ask for, by the tags of a project."""

from typing import Any

from backend.label_studio.labeling_config import LabelingConfig

OUTPUTS = {
    "BitmaskLabels": "mask",
    "PolygonLabels": "polygon",
    "VectorLabels": "polygon",
    "RectangleLabels": "bbox",
}
"""The tags that the next editor takes for images, and what it makes of a mask for each."""


def targets(config: LabelingConfig) -> dict[str, str]:
    """Return the outputs to offer by tag, for the tags that the configuration has.

    Rectangles are offered only where no tag takes masks: choosing their label would begin a new
    object in the next editor, and take the smart rectangle away from today's prompts. A tag that
    has the labels of a Labels tag beside it is never offered: the next editor binds none.
    """
    images = {image.name for image in config.images}
    used = {control.title for control in config.controls if control.to_name in images}
    offered = {tag: output for tag, output in OUTPUTS.items() if tag in used}
    if any(control.to_name in images for control in config.outputs()):
        offered.pop("RectangleLabels", None)
    return offered


def capabilities(config: LabelingConfig, version: str) -> dict[str, Any]:
    """Return the answer's only result: prompts, tags with their outputs, and the model."""
    return {
        "type": "capabilities",
        "value": {
            "prompts": ["point", "box"],
            "targets": [{"tag": tag, "output": output} for tag, output in targets(config).items()],
            "model_info": {"name": "DynaMITE", "version": version},
        },
    }
