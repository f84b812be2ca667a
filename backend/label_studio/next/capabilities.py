"""What the next editor may ask for, by the tags of a project."""

from typing import Any

from backend.label_studio.labeling_config import (
    BITMASK,
    BOXES,
    BRUSH,
    POLYGON,
    VECTOR,
    WRITTEN,
    LabelingConfig,
)

OUTPUTS = {BITMASK: "mask", POLYGON: "polygon", VECTOR: "polygon", BOXES: "bbox"}
"""The tags that the next editor takes for images, and what it makes of a mask for each."""

MASKS = (BRUSH, BITMASK, POLYGON, VECTOR)
"""Tags whose regions are masks for today's page."""


def targets(config: LabelingConfig) -> dict[str, str]:
    """Return the outputs to offer by type of tag, for the tags that the configuration has.

    Rectangles are offered only where no tag takes masks: choosing their label would begin a new
    object in the next editor, and take the smart rectangle away from today's prompts.
    """
    images = {image.name for image in config.images}
    used = {control.type for control in config.controls if control.to_name in images}
    offered = {kind: output for kind, output in OUTPUTS.items() if kind in used}
    if used & set(MASKS):
        offered.pop(BOXES, None)
    return offered


def capabilities(config: LabelingConfig, version: str) -> dict[str, Any]:
    """Return the answer's only result: prompts, tags with their outputs, and the model."""
    return {
        "type": "capabilities",
        "value": {
            "prompts": ["point", "box"],
            "targets": [
                {"tag": WRITTEN[kind], "output": output} for kind, output in targets(config).items()
            ],
            "model_info": {"name": "DynaMITE", "version": version},
        },
    }
