"""Compare models on held-out training images, by the size of the objects.

    python -m benchmarks.by_size lite new.safetensors --data SETS
    python -m benchmarks.by_size lite new.safetensors --data SETS --together

No `lite` was trained on these images: every `configs/lite*.yaml` holds out the same share of each
set. All models get the same images and the same simulated annotator: one object at a time with up
to 6 clicks, or all objects of an image (MIST, 10 clicks per object). The side of
an object is the square root of its visible area, in pixels of the stored image. The column "change"
is the difference to the first model; ± is its standard error, with images as independent units.
B-IoU is Boundary IoU; parts and holes are counted per mask (docs/evaluation.md); "@1" means after
the first click.
With --out the scores are kept as JSON; such a file may be given in place of a model.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.catalog import Subset, open_dataset, split
from training.data.sample import InstanceDataset
from training.evaluation.mist import mist_score
from training.evaluation.model_segmenter import load_segmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import Record, evaluate
from training.evaluation.segmenter import Segmenter
from training.evaluation.strategies import STRATEGIES

SETS = ("coco_train2017", "coco_val2017_extra")
HOLDOUT = 0.05
BOUNDS = (20, 32, 48, 64)
"""Sides in pixels that part the groups of objects."""

ALONE = EvaluationPlan(single_object=True, threshold=0.85, clicks_per_object=6)
TOGETHER = EvaluationPlan(strategy="random", threshold=0.85, clicks_per_object=10)


@dataclass(frozen=True)
class Scored:
    """One object under one model: its mask after the first click and at the end, clicks spent.

    `clicks` is the whole budget where the threshold was not reached.
    """

    image: str
    side: float
    first: float
    last: float
    reached: bool
    clicks: int
    first_boundary: float
    last_boundary: float
    first_parts: int
    first_holes: int
    last_parts: int
    last_holes: int


@dataclass(frozen=True)
class Change:
    """A mean over objects, its difference to the first model's, and that difference's error."""

    mean: float
    difference: float
    error: float


MEASURES = {
    "IoU@1": lambda one: one.first,
    "B-IoU@1": lambda one: one.first_boundary,
    "parts@1": lambda one: float(one.first_parts),
    "holes@1": lambda one: float(one.first_holes),
    "IoU": lambda one: one.last,
    "B-IoU": lambda one: one.last_boundary,
    "parts": lambda one: float(one.last_parts),
    "holes": lambda one: float(one.last_holes),
    "reached": lambda one: float(one.reached),
    "clicks": lambda one: float(one.clicks),
}


def main() -> None:
    options = parse()
    plan = replace(TOGETHER, strategy=options.strategy) if options.together else ALONE
    sets = [held_out(name, options.data) for name in options.set or SETS]
    rows: dict[str, list[Scored]] = {}
    for model in options.models:
        if model.endswith(".json"):
            rows[model] = [Scored(**one) for one in json.loads(Path(model).read_text())]
            continue
        segmenter = load_segmenter(model, threads=1, redraw_all=options.redraw_all)
        rows[model] = measured(segmenter, sets, plan, options.most)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            listed = [asdict(one) for one in rows[model]]
            (options.out / f"{Path(model).stem}.json").write_text(json.dumps(listed))
    print(render(rows))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="presets or checkpoint files, the old one first")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--set", action="append", help=f"several can be given [{', '.join(SETS)}]")
    parser.add_argument("--together", action="store_true", help="all objects of an image (MIST)")
    parser.add_argument("--strategy", default="random", choices=STRATEGIES, help="with --together")
    parser.add_argument("--most", type=int, help="leave out images with more objects")
    parser.add_argument("--redraw-all", action="store_true", help="objects do not hold still")
    parser.add_argument("--out", type=Path, help="folder for the scores of every object, as JSON")
    return parser.parse_args()


def held_out(name: str, root: Path) -> Subset:
    """The images of a set that no training sees."""
    return split(open_dataset(name, root), HOLDOUT)[1]


def measured(
    segmenter: Segmenter,
    sets: Sequence[InstanceDataset],
    plan: EvaluationPlan,
    most: int | None = None,
) -> list[Scored]:
    """All objects of all sets under one model; prints the scores of each set."""
    found = []
    for dataset in sets:
        chosen = [i for i in range(len(dataset)) if not most or len(dataset[i].labels) <= most]
        records = evaluate(segmenter, dataset, plan, indices=chosen)
        found += scored(records, dataset, plan)
        if not plan.single_object:
            print(f"{dataset.name}: {mist_score([one.ious for one in records])}")
    return found


def scored(
    records: Iterable[Record], dataset: InstanceDataset, plan: EvaluationPlan
) -> list[Scored]:
    """The objects of some records, one or more of each record."""
    found = []
    for record in records:
        sides = np.sqrt(dataset[record.index].areas)
        own = sides if record.instance is None else sides[[record.instance]]
        for index, side in enumerate(own.tolist()):
            last = float(record.ious[-1, index])
            reached = last >= plan.threshold
            spent = (
                min(int(record.spent[index]), plan.clicks_per_object)
                if reached
                else plan.clicks_per_object
            )
            image = f"{dataset.name}/{record.sample_id}"
            found.append(
                Scored(
                    image=image,
                    side=side,
                    first=float(record.ious[0, index]),
                    last=last,
                    reached=reached,
                    clicks=spent,
                    first_boundary=float(record.first.boundary_iou[index]),
                    last_boundary=float(record.last.boundary_iou[index]),
                    first_parts=int(record.first.parts[index]),
                    first_holes=int(record.first.holes[index]),
                    last_parts=int(record.last.parts[index]),
                    last_holes=int(record.last.holes[index]),
                )
            )
    return found


def change(values: Sequence[float], before: Sequence[float], images: Sequence[str]) -> Change:
    """The mean of `values` and how it differs from that of `before`.

    The objects of an image are no independent samples: the error is that of a mean of clusters.
    """
    differences = np.subtract(values, before)
    mean = float(differences.mean())
    _, cluster = np.unique(images, return_inverse=True)
    sums: NDArray[np.float64] = np.bincount(cluster, weights=differences - mean)
    count = len(sums)
    spread = count / max(count - 1, 1) * float(np.square(sums).sum())
    return Change(float(np.mean(values)), mean, float(np.sqrt(spread)) / len(differences))


def groups(objects: Sequence[Scored]) -> dict[str, list[int]]:
    """Positions of the objects of each group of sizes, and of all; empty groups are left out."""
    group = np.digitize([one.side for one in objects], BOUNDS)
    names = [f"< {BOUNDS[0]}", *(f"{a}–{b}" for a, b in pairwise(BOUNDS))]
    names.append(f"≥ {BOUNDS[-1]}")
    found = {name: np.flatnonzero(group == at).tolist() for at, name in enumerate(names)}
    found["all"] = list(range(len(objects)))
    return {name: positions for name, positions in found.items() if positions}


def render(rows: dict[str, list[Scored]]) -> str:
    """A line for each group of sizes, measure and model."""
    (_, before), *_ = rows.items()
    lines = [f"{'side':>8} {'objects':>7}  {'measure':8} {'mean':>7}  {'change':>16}  model"]
    for group, positions in groups(before).items():
        images = [before[at].image for at in positions]
        for measure, value in MEASURES.items():
            old = [value(before[at]) for at in positions]
            for model, objects in rows.items():
                new = change([value(objects[at]) for at in positions], old, images)
                told = f"{new.difference:+.3f} ± {new.error:.3f}" if objects is not before else ""
                lines.append(
                    f"{group:>8} {len(positions):>7}  {measure:8} {new.mean:>7.3f}  {told:>16}  "
                    f"{Path(model).stem}"
                )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
