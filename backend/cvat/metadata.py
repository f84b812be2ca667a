"""What CVAT asks of a function before it calls it."""

from typing import Any

FUNCTION = "dynamite"
"""The function's id, which is also in the address of each call."""

HELP = (
    "Click on an object, or draw a box around it. More clicks correct the mask; a right click says "
    "what does not belong to it. Several boxes give several objects, none of which overlap."
)


def function(port: int, picture: str) -> dict[str, Any]:
    """Return the description of the interactor.

    ``port`` is where this backend listens: CVAT's direct mode calls it there. ``picture`` is the
    address of the picture beside the help text. CVAT takes every value as text, and any text as
    true where it expects a yes or no, so what is off is left out.
    """
    return {
        "metadata": {
            "name": FUNCTION,
            "annotations": {
                "name": "DynaMITE",
                "type": "interactor",
                "spec": "",
                "version": "2",
                "min_pos_points": "0",
                "min_neg_points": "0",
                "startswith_box_optional": "true",
                "help_message": HELP,
                "animated_gif": picture,
            },
        },
        "spec": {"description": "Masks from clicks and boxes, all objects together"},
        "status": {"state": "ready", "httpPort": port},
    }
