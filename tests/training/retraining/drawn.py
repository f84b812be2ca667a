"""A kind of image new to any model: bright rectangles on noise, accepted by hand."""

import base64
from pathlib import Path

import cv2
import numpy as np

import dynamite
from backend.label_studio.config_writer import write
from dynamite import brush_rle
from dynamite.checkpoints import checkpoint
from dynamite.network.config import Resize
from tests.training.tiny_run import TINY_MODEL
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    AnnotationStore,
    Origin,
    ProjectKey,
    Region,
    SnapshotRules,
    encode_mask,
    write_snapshot,
)

SIDE = 64
SOURCE = "label_studio"
LABELS = ["left", "right"]
CONFIG = write(LABELS)


def drawn(number: int) -> tuple[bytes, list[np.ndarray]]:
    """An image file and its two masks."""
    rng = np.random.default_rng(number)
    image = rng.integers(80, 140, (SIDE, SIDE, 3), np.uint8)
    masks = []
    for left, color in ((2, (230, 220, 60)), (34, (20, 40, 170))):
        x, y = left + int(rng.integers(0, 8)), int(rng.integers(2, 36))
        mask = np.zeros((SIDE, SIDE), np.bool_)
        mask[y : y + 22, x : x + 18] = True
        image[mask] = color
        masks.append(mask)
    return cv2.imencode(".png", image)[1].tobytes(), masks


def accept(store: AnnotationStore, numbers, project: int = 1) -> None:
    """Accept both masks of so many images."""
    for number in numbers:
        data, masks = drawn(number)
        regions = tuple(
            Region(f"r{i}", "box", encode_mask(mask), int(mask.sum()), Origin.DRAWN)
            for i, mask in enumerate(masks)
        )
        image = AcceptedImage(store.put_image(data), SIDE, SIDE, regions)
        time = "2026-01-01T00:00:00.000000+00:00"
        annotation = AcceptedAnnotation(SOURCE, number, number, project, time, images=(image,))
        store.apply(annotation)


def tiny_weights(path: Path) -> str:
    """A network that knows nothing, declared so; its version."""
    size = Resize(SIDE, SIDE)
    model = dynamite.load("lite", random_weights=True, resize=size, **TINY_MODEL)
    return checkpoint.save(model, path, {"training_data": "none: under-trained on purpose"})


def request(folder: Path, images: int = 16, **more) -> dict:
    """A retraining request on that many accepted images, as the queue holds it."""
    with AnnotationStore(folder / "store") as store:
        accept(store, range(1, images + 1))
        project = ProjectKey(SOURCE, 1)
        rules = SnapshotRules(holdout=0.4, exhaustive=frozenset({project}))
        snapshot = write_snapshot(store, [project], folder / "snapshots", rules)
    if not (folder / "start.safetensors").exists():
        tiny_weights(folder / "start.safetensors")
    (folder / "models").mkdir(exist_ok=True)
    return {
        "line": "shared",
        "reason": "test",
        "digest": snapshot.digest,
        "snapshot": str(snapshot.folder),
        "images": snapshot.images,
        "models": str(folder / "models" / "shared"),
        "run": str(folder / "run"),
        "checkpoint": str(folder / "start.safetensors"),
        "options": {
            "train_steps": 6,
            "train_batch": 2,
            "train_crop": 64,
            "train_rate": 2e-3,
            "judge_least": 2,
            "judge_margin": 0.0,
            "judge_chance": 1.0,
            "judge_budget": 3,
            "judge_most": 4,
            "judge_base_set": str(snapshot.folder / "corrected"),
        },
        "job": "asked once",
    } | more


def with_options(values: dict, **options) -> dict:
    """A request with other options."""
    return values | {"options": values["options"] | options}


def a_task(number, data):
    address = "data:image/png;base64," + base64.b64encode(data).decode()
    return {"id": number, "data": {"image": address}, "project": 3}


def accepted(number):
    """The webhook of an annotator who drew both masks of an image."""
    data, masks = drawn(number)
    result = [
        {
            "id": f"r{number}-{label}",
            "type": "brushlabels",
            "from_name": "mask",
            "to_name": "image",
            "original_width": SIDE,
            "original_height": SIDE,
            "value": {"format": "rle", "rle": brush_rle.encode(mask), "brushlabels": [label]},
        }
        for label, mask in zip(LABELS, masks, strict=True)
    ]
    time_ = "2026-11-22T07:10:40.783276Z"
    annotation = {"id": number, "task": number, "result": result, "updated_at": time_}
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": annotation,
        "task": a_task(number, data),
        "project": {"id": 3, "label_config": CONFIG},
    }
