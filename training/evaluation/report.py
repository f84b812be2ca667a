"""The results of an evaluation as a table for people and as JSON for programs."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rich.table import Table

from training.evaluation.mask_quality import Look, MaskQuality, look
from training.evaluation.mist import MistScore, mean_iou, mist_score
from training.evaluation.plan import EvaluationPlan
from training.evaluation.robustness import Robustness, robustness
from training.evaluation.runner import Record
from training.evaluation.single_instance import NocScore, noc_score


@dataclass(frozen=True)
class Row:
    """The records of one method under one plan."""

    method: str
    plan: EvaluationPlan
    records: Sequence[Record]

    @cached_property
    def score(self) -> MistScore | NocScore:
        """The NoC score if objects were segmented one at a time, else the MIST score."""
        plan, ious = self.plan, [record.ious for record in self.records]
        if plan.single_object:
            series = [rows[:, 0] for rows in ious]
            return noc_score(series, threshold=plan.threshold, budget=plan.clicks_per_object)
        return mist_score(ious, threshold=plan.threshold, clicks_per_object=plan.clicks_per_object)

    @property
    def clicks(self) -> float:
        """Mean clicks per object to reach the plan's threshold: NCI or NoC."""
        if isinstance(self.score, MistScore):
            return self.score.nci
        return self.score.noc[self.plan.threshold]

    @cached_property
    def look(self) -> Look:
        """How the masks look: after one click if segmented one at a time, else at the end."""
        plan = self.plan
        return look([one.first if plan.single_object else one.last for one in self.records])

    @property
    def milliseconds(self) -> float:
        """Median time of one answer in milliseconds."""
        return 1000 * float(np.nanmedian(np.concatenate([r.seconds for r in self.records])))

    @property
    def name(self) -> str:
        """Method, strategy and protocol, as used in legends and folder names."""
        strategy = [] if self.plan.single_object else [self.plan.strategy]
        return "-".join([self.method, *strategy, self.plan.gesture])


def table(rows: Sequence[Row], title: str) -> Table:
    """Return the table of the rows, which must be all of MIST or all single-instance."""
    compared = _compared(rows)
    result = Table(title=title, title_justify="left", title_style="bold")
    lines = [
        {"method": row.method}
        | ({} if row.plan.single_object else {"strategy": row.plan.strategy})
        | {"protocol": row.plan.gesture}
        | _cells(row)
        | _robustness_cells(found)
        | {"ms/click": f"{row.milliseconds:.0f}"}
        for row, found in zip(rows, compared, strict=True)
    ]
    for name in lines[0]:
        if any(line[name] for line in lines):
            text = name in {"method", "strategy", "protocol"}
            result.add_column(name, justify="left" if text else "right", no_wrap=True)
        else:
            lines = [{k: v for k, v in line.items() if k != name} for line in lines]
    for line in lines:
        result.add_row(*line.values())
    return result


def document(rows: Sequence[Row], **facts: Any) -> dict[str, Any]:
    """Return scores and all samples with their clicks and IoUs, ready for ``json.dumps``."""
    return facts | {
        "rows": [
            {
                "method": row.method,
                "plan": asdict(row.plan),
                "score": asdict(row.score),
                "look": {name: _json(value) for name, value in asdict(row.look).items()},
                "robustness": asdict(found),
                "ms_per_click": round(row.milliseconds, 1),
                "samples": [_sample(record) for record in row.records],
            }
            for row, found in zip(rows, _compared(rows), strict=True)
        ]
    }


def worst(row: Row, count: int = 10) -> list[Record]:
    """Return the ``count`` records with the lowest final mean IoU, the worst first."""
    scored = [(mean_iou(record.ious[-1]), record) for record in row.records]
    known = [(iou, record) for iou, record in scored if not math.isnan(iou)]
    return [record for _, record in sorted(known, key=lambda pair: pair[0])[:count]]


def _compared(rows: Sequence[Row]) -> list[Robustness]:
    """Compare each row with those that differ from it only in the protocol."""
    groups: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        groups.setdefault((row.method, row.plan.strategy), {})[row.plan.gesture] = row.clicks
    found = {key: robustness(clicks) for key, clicks in groups.items()}
    return [found[row.method, row.plan.strategy][row.plan.gesture] for row in rows]


def _cells(row: Row) -> dict[str, str]:
    score = row.score
    if isinstance(score, MistScore):
        return {
            f"NCI@{_percent(row.plan.threshold)}": f"{score.nci:.2f}",
            "NFO": str(score.nfo),
            "NFI": str(score.nfi),
            "IoU": f"{score.iou:.3f}",
            "B-IoU": f"{row.look.boundary_iou:.3f}",
            **_count_cells(row.look),
            "objects": str(score.objects),
            "images": str(score.images),
        }
    return (
        {f"NoC@{_percent(quality)}": f"{clicks:.2f}" for quality, clicks in score.noc.items()}
        | {f"failed@{_percent(quality)}": str(count) for quality, count in score.failures.items()}
        | {"IoU@1": f"{score.iou_1:.3f}", "B-IoU@1": f"{row.look.boundary_iou:.3f}"}
        | {f"{name}@1": cell for name, cell in _count_cells(row.look).items()}
        | {"objects": str(score.samples)}
    )


def _count_cells(found: Look) -> dict[str, str]:
    return {"parts": f"{found.parts:.2f}", "holes": f"{found.holes:.2f}"}


def _percent(quality: float) -> str:
    """Keep all digits, so that 0.9 and 0.899 give two columns."""
    return f"{100 * quality:.6g}%"


def _robustness_cells(found: Robustness) -> dict[str, str]:
    return {
        "rise": "" if found.rise is None else f"{found.rise:+.1%}",
        "spread": "" if found.spread is None else f"{found.spread:.1%}",
    }


def _sample(record: Record) -> dict[str, Any]:
    def click(owner: int, x: float, y: float, time: int) -> dict[str, float]:
        return {"object": owner, "x": x, "y": y, "time": time}

    owners = record.clicks.owners
    clicks = [click(o, c.x, c.y, c.time) for o, c in zip(owners, record.clicks, strict=True)]
    return {
        "sample": record.name,
        "index": record.index,
        "clicks": sorted(clicks, key=lambda one: one["time"]),
        "ious": [[_json(iou) for iou in row] for row in record.ious],
        "first": _quality(record.first),
        "last": _quality(record.last),
    }


def _quality(quality: MaskQuality) -> dict[str, list[Any]]:
    return {
        "boundary_iou": [_json(iou) for iou in quality.boundary_iou],
        "parts": quality.parts.tolist(),
        "holes": quality.holes.tolist(),
    }


def _json(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
