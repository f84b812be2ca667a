"""The report of a judgement: numbers as JSON, a table, pictures before and after."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from training.evaluation.overlays import overlay
from training.evaluation.segmenter import Image
from training.retraining.gate import Verdict
from training.retraining.judging import Comparison, Judged

PICTURES = 6
"""Images shown of each set: half the largest gains, half the largest losses."""

GAP = 8
"""Width of the gap between two pictures, pixels."""

PASSED = "passed: "


def write_report(
    folder: Path, verdict: Verdict, comparisons: Sequence[Comparison], facts: Mapping[str, object]
) -> None:
    """Write ``report.json``, ``report.txt`` and ``pictures/SET-NN.jpg``."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    content = {
        "verdict": asdict(verdict),
        "sets": [comparison.summary() for comparison in comparisons],
        "images": [
            {
                "set": comparison.name,
                "sample": image.sample_id,
                "objects": image.objects,
                "clicks": image.clicks,
                "nci": image.nci,
                "failed": image.failed,
                "iou": image.iou,
            }
            for comparison in comparisons
            for image in comparison.images
        ],
        **facts,
    }
    text = json.dumps(content, indent=1, default=str, allow_nan=False)
    (folder / "report.json").write_text(text, encoding="utf-8")
    (folder / "report.txt").write_text(table(verdict, comparisons), encoding="utf-8")
    for comparison in comparisons:
        for place, image in enumerate(largest_changes(comparison.images), start=1):
            path = folder / "pictures" / f"{comparison.name}-{place:02d}.jpg"
            cv2.imwrite(str(path), cv2.cvtColor(picture(image), cv2.COLOR_RGB2BGR))


def table(verdict: Verdict, comparisons: Sequence[Comparison]) -> str:
    """Return the numbers as an aligned table."""
    lines = [f"{'set':<12}{'images':>8}{'objects':>9}{'':>4}{'current':>9}{'candidate':>11}"]
    for comparison in comparisons:
        found = comparison.summary()
        start = f"{found['set']:<12}{found['images']:>8}{found['objects']:>9}"
        for name in (
            "clicks",
            "nci",
            "failed",
            *(k[:-8] for k in found if k.startswith("iou_") and k.endswith("_current")),
        ):
            current, candidate = (
                "–" if value is None else value
                for value in (found[f"{name}_current"], found[f"{name}_candidate"])
            )
            lines.append(f"{start:<29}{current:>13}{candidate:>11}  {name}")
            start = ""
    return "\n".join([*lines, "", opinion(verdict), ""])


def opinion(verdict: Verdict) -> str:
    """Return the verdict in words. Only the registry's log knows whether it was published."""
    return (PASSED if verdict.published else f"not {PASSED}") + verdict.reason


def largest_changes(images: Sequence[Judged]) -> list[Judged]:
    """Return the images with the largest changes for the better and for the worse."""
    order = sorted(images, key=lambda image: image.clicks[1] - image.clicks[0])
    if len(order) <= PICTURES:
        return order
    return order[: PICTURES // 2] + order[-(PICTURES // 2) :]


def picture(image: Judged) -> Image:
    """Draw the last answers of the current model (left) and the candidate."""
    halves = []
    sample = image.sample
    for name, record, clicks in zip(
        ("current", "candidate"), image.records, image.clicks, strict=True
    ):
        caption = f"{name}: {clicks:.2f} clicks per object"
        halves.append(
            overlay(
                sample.image,
                sample.label_map,
                record.answer,
                record.clicks,
                ignore=sample.ignore,
                caption=caption,
            )
        )
    gap = np.full((halves[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([halves[0], gap, halves[1]], axis=1)
