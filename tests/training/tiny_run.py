"""A training run small enough for tests: six drawn images, a tiny network."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

TINY_MODEL = {
    "hidden": 32,
    "heads": 2,
    "deformable_layers": 1,
    "deformable_feedforward": 32,
    "encoder_layers": 2,
    "encoder_feedforward": 32,
    "decoder_layers": 1,
    "decoder_feedforward": 32,
}


def write_data(folder: Path, images: int = 6, side: int = 64) -> Path:
    """Write the COCO folder ``shapes``, a disc and a rectangle on noise, and return its parent."""
    rng = np.random.default_rng(0)
    (folder / "shapes" / "images").mkdir(parents=True)
    entries: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "disc"}, {"id": 2, "name": "rectangle"}],
    }
    for number in range(images):
        image = rng.integers(90, 130, (side, side, 3), np.uint8)
        cx, cy = (int(v) for v in rng.integers(14, 22, 2))
        cv2.circle(image, (cx, cy), 11, (220, 210, 60), -1)
        x, y = (int(v) for v in rng.integers(36, 42, 2))
        cv2.rectangle(image, (x, y), (x + 19, y + 15), (20, 40, 160), -1)
        name = f"images/{number}.png"
        cv2.imwrite(str(folder / "shapes" / name), image)
        entries["images"].append({"id": number, "file_name": name, "width": side, "height": side})
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        disc = np.stack((cx + 0.5 + 11.4 * np.cos(angles), cy + 0.5 + 11.4 * np.sin(angles)), 1)
        box = [x, y, x + 20, y, x + 20, y + 16, x, y + 16]
        for category, polygon in ((1, disc.ravel().round(2).tolist()), (2, box)):
            entries["annotations"].append(
                {
                    "id": 2 * number + category,
                    "image_id": number,
                    "category_id": category,
                    "segmentation": [polygon],
                    "iscrowd": 0,
                    "area": 380.0,
                    "bbox": [0, 0, side, side],
                }
            )
    (folder / "shapes" / "annotations.json").write_text(json.dumps(entries))
    return folder


def tiny_config(**changes: Any) -> dict[str, Any]:
    """Return the values of a config; ``changes`` replace whole sections."""
    return {
        "name": "tiny",
        "model": {"preset": "lite", "overrides": TINY_MODEL},
        "data": {
            "sets": [{"name": "shapes"}],
            "augment": {"scale": [0.9, 1.2], "keep_fraction": 1.0, "min_area": 20},
        },
        "stages": [
            {"steps": 3, "batch": 2, "crop": 64, "learning_rate": 1e-3},
            {"steps": 3, "batch": 4, "crop": 32, "learning_rate": 5e-4},
        ],
        "seed": 7,
        "loss": {"points": 64},
        "optimizer": {"clip_norm": 1.0, "ema_decay": 0.9, "freeze_batch_norm": True},
        "schedule": {"kind": "cosine", "warmup_steps": 1},
        "log": {"every_steps": 1, "checkpoint_steps": 2},
    } | changes


def write_config(path: Path, **changes: Any) -> Path:
    """Write the config as a YAML file."""
    path.write_text(yaml.safe_dump(tiny_config(**changes)))
    return path


def losses(run: Path) -> list[float]:
    """Return the logged loss of each step."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]
