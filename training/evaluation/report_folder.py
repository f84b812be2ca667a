"""Writes the report folder of an evaluation: table, JSON, curves and the worst images."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from training.data.sample import InstanceDataset
from training.evaluation.curves import iou_by_clicks, plot_curves
from training.evaluation.mist import mean_iou
from training.evaluation.overlays import overlay
from training.evaluation.report import Row, document, table, worst
from training.evaluation.runner import Record


def make_folder(folder: Path) -> None:
    """Make the folder and check that it is writable, before an evaluation that may take hours.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def write_report(
    folder: Path, rows: Sequence[Row], dataset: InstanceDataset, title: str, **facts: Any
) -> None:
    """Write ``table.txt``, ``results.json``, ``curves.png`` and ``worst/<row>/*.jpg``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "table.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=200).print(table(rows, title))
    text = json.dumps(document(rows, **facts), separators=(",", ":"), allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    plan = rows[0].plan
    curves = {
        row.name: iou_by_clicks([record.ious for record in row.records], plan.clicks_per_object)
        for row in rows
    }
    plot_curves(curves, folder / "curves.png", title=title, threshold=plan.threshold)
    for row in rows:
        pictures = folder / "worst" / row.name
        pictures.mkdir(parents=True, exist_ok=True)
        for old in pictures.glob("*.jpg"):
            old.unlink()
        for rank, record in enumerate(worst(row), start=1):
            name = record.name.replace("/", "_").replace("#", "-")
            picture = cv2.cvtColor(_picture(record, dataset), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(pictures / f"{rank:02d}-{name}.jpg"), picture)


def _picture(record: Record, dataset: InstanceDataset) -> "np.typing.NDArray[np.uint8]":
    sample = dataset[record.source]
    target_HW = sample.label_map
    if record.instance is not None:
        target_HW = np.where(target_HW == record.instance, 0, -1).astype(np.int32)
    caption = (
        f"{record.name}: mean IoU {mean_iou(record.ious[-1]):.3f}, "
        f"clicks {len(record.clicks)}, objects {record.ious.shape[1]}"
    )
    return overlay(
        sample.image,
        target_HW,
        record.answer,
        record.clicks,
        ignore=sample.ignore,
        caption=caption,
    )
