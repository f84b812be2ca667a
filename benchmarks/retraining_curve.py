"""How many clicks a number of accepted images saves, on a kind of image new to the model.

    python -m benchmarks.retraining_curve facade --data ../sets --images 10 20 40 --out curve

Images of the set are put into an annotation store as if people had accepted them. The rest is a
real retraining: snapshot, training from the weights that ship, judgement on the held-out images of
the same kind and on the base set. Prints a table, writes curve.json and curve.png.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.table import Table

from dynamite.checkpoints.loading import shipped
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
from training.annotation_store.snapshot import HOLDOUT, part_of
from training.data.catalog import open_dataset
from training.data.sample import Sample
from training.evaluation.model_segmenter import load_segmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import evaluate
from training.evaluation.single_instance import noc_score
from training.retraining.base_set import open_base_set
from training.retraining.judging import Comparison, chosen_indices, compare
from training.retraining.launching import gpu_count
from training.retraining.options import JobOptions
from training.retraining.request import RetrainingRequest
from training.retraining.train_candidate import train_candidate

PROJECT = ProjectKey("curve", 1)
TIME = "2026-01-01T00:00:00.000000+00:00"


def main() -> None:
    """Measure and report."""
    arguments = parse()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    dataset = open_dataset(arguments.set, arguments.data, on_problem="skip")
    points: list[dict[str, Any]] = []
    for count in arguments.images:
        started = time.monotonic()
        folder = out / f"{arguments.set}-{count}"
        request = accept(dataset, count, folder, arguments)
        weights = train_candidate(request, shipped("lite"))
        judged = judge(weights, request, arguments)
        points.append(
            {"images": count, "minutes": round((time.monotonic() - started) / 60, 1)}
            | {comparison.name: comparison.summary() for comparison in judged}
            | {"alone": alone(weights, request, arguments.most)}
        )
        (out / "curve.json").write_text(json.dumps(points, indent=1))
        Console(width=120).print(table(points, arguments.set))
    plot({arguments.set: points}, out / "curve.png")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("set", help="facade, dsb2018, …")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--images", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--crop", type=int, default=512)
    parser.add_argument("--budget", type=int, default=20, help="clicks per object of the kind")
    parser.add_argument("--most", type=int, default=25, help="images judged of each set")
    parser.add_argument("--base", nargs="*", default=["coco_train2017", "ecssd"])
    parser.add_argument("--out", type=Path, default=Path("curve"))
    return parser.parse_args()


def accept(
    dataset: Any, count: int, folder: Path, arguments: argparse.Namespace
) -> RetrainingRequest:
    """Request a training on ``count`` accepted images, with all held-out ones every time."""
    rules = SnapshotRules(holdout=0.3, exhaustive=frozenset({PROJECT}))
    taken = 0
    folder.mkdir(parents=True, exist_ok=True)
    with AnnotationStore(folder / "store") as store:
        for index in range(len(dataset)):
            image = stored(store, dataset[index])
            if part_of(image, rules.holdout) != HOLDOUT:
                taken += 1
                if taken > count:
                    continue
            store.apply(
                AcceptedAnnotation(
                    PROJECT.source, index + 1, index + 1, PROJECT.number, TIME, images=(image,)
                )
            )
        snapshot = write_snapshot(store, [PROJECT], folder / "snapshots", rules)
    options = JobOptions(
        train_steps=arguments.steps,
        train_batch=arguments.batch,
        train_crop=arguments.crop,
        train_rate=arguments.rate,
        train_base_sets=tuple(arguments.base),
        train_base_root=arguments.data.resolve(),
    )
    return RetrainingRequest(
        line="curve",
        reason=f"{count} images",
        digest=snapshot.digest,
        snapshot=snapshot.folder,
        images=snapshot.images,
        models=folder / "models",
        run=folder / "run",
        options=options,
    )


def stored(store: AnnotationStore, sample: Sample) -> AcceptedImage:
    """Store an image of a data set as an accepted one."""
    data = cv2.imencode(".png", sample.image[..., ::-1])[1].tobytes()
    height, width = sample.label_map.shape
    masks = [sample.label_map == index for index in range(len(sample.labels))]
    regions = tuple(
        Region(f"r{i}", label, encode_mask(mask), int(mask.sum()), Origin.DRAWN)
        for i, (label, mask) in enumerate(zip(sample.labels, masks, strict=True))
        if mask.any()
    )
    return AcceptedImage(store.put_image(data), height, width, regions)


def judge(
    weights: Path, request: RetrainingRequest, arguments: argparse.Namespace
) -> list[Comparison]:
    """Compare the shipped model with the trained one, on its kind and on the base set."""
    device = "cuda" if gpu_count() else "cpu"
    models = load_segmenter("lite", device=device), load_segmenter(weights, device=device)
    sets = {
        "kind": (open_dataset(request.snapshot / HOLDOUT), arguments.budget),
        "base": (open_base_set("", None), request.options.judge_budget),
    }
    return [
        compare(
            models,
            dataset,
            budget=budget,
            most=arguments.most,
            least=arguments.most,
            seconds=1e9,
            name=name,
        )
        for name, (dataset, budget) in sets.items()
        if dataset is not None
    ]


def alone(weights: Path, request: RetrainingRequest, most: int) -> list[dict[str, float]]:
    """Evaluate one object at a time, under the shipped model and the trained one."""
    dataset = open_dataset(request.snapshot / HOLDOUT)
    plan = EvaluationPlan.single_instance(threshold=0.85)
    scores = []
    for path in (shipped("lite"), weights):
        model = load_segmenter(path, device="cuda" if gpu_count() else "cpu")
        records = evaluate(model, dataset, plan, indices=chosen_indices(dataset, most))
        score = noc_score([record.ious[:, 0] for record in records], threshold=0.85)
        failed = score.failures[0.85]
        scores.append({"noc": score.noc[0.85], "failed": failed, "iou_1": round(score.iou_1, 3)})
    return scores


def saved(point: dict[str, Any], name: str) -> float:
    """Return the share of clicks saved on a set, counted as the gate does."""
    found, count = point[name], "nci" if name == "base" else "clicks"
    return float(1 - found[f"{count}_candidate"] / found[f"{count}_current"])


def table(points: list[dict[str, Any]], title: str) -> Table:
    """Return a table with one line per point."""
    found = Table(title=f"{title}: accepted images against clicks saved", title_justify="left")
    names = "images", "clicks", "saved", "NCI", "failed", "IoU+5", "base", "NoC@85 alone", "IoU@1"
    for name in names:
        found.add_column(name, justify="right")
    for point in points:
        kind, (before, after) = point["kind"], point["alone"]
        found.add_row(
            str(point["images"]),
            f"{kind['clicks_current']:.2f} → {kind['clicks_candidate']:.2f}",
            f"{saved(point, 'kind'):+.1%}",
            f"{kind['nci_current']:.2f} → {kind['nci_candidate']:.2f}",
            f"{kind['failed_current']} → {kind['failed_candidate']}",
            f"{kind['iou_after_5_current']:.3f} → {kind['iou_after_5_candidate']:.3f}",
            f"{-saved(point, 'base'):+.1%}",
            f"{before['noc']:.2f} → {after['noc']:.2f}",
            f"{before['iou_1']:.3f} → {after['iou_1']:.3f}",
        )
    return found


def plot(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Plot the curves by the name of their kind; dashed, the NCI on the base set."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for number, (kind, points) in enumerate(curves.items()):
        images = [0, *(point["images"] for point in points)]
        for name, style, on in (("kind", "o-", "held out"), ("base", "o--", "base set, NCI")):
            clicks = [0, *(100 * saved(point, name) for point in points)]
            axes.plot(images, clicks, style, color=f"C{number}", label=f"{kind}, {on}")
    axes.axhline(0, color="gray", linewidth=0.5)
    axes.set(xlabel="accepted images", ylabel="clicks saved, %")
    figure.legend(loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
