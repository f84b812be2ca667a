"""How much of an image "more like this" proposes, after some accepted images or masks.

    python -m benchmarks.like_this dsb2018 facade --data ../sets --seeds 5 --out like_this

The images of each set are divided into two halves. Everything was chosen on the first one; figures
are of the second, unless --half says otherwise. For each seed, the first images of a random order
are taken as accepted, and objects are proposed in images further down. Prints a table, writes
like_this.json and a picture.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

import dynamite
from dynamite import Predictor
from dynamite.predict.features import ImageFeatures
from dynamite.proposals.describe import describe
from dynamite.proposals.description import Description
from dynamite.proposals.likeness import Likeness
from dynamite.proposals.propose import Proposals, propose
from training.data.catalog import open_dataset
from training.data.sample import InstanceDataset, Sample
from training.proposing.describe import describe_labels
from training.proposing.trial import matched

ACCEPTED = (1, 3, 5)
"""Images accepted before."""
MASKS = (1, 3)
"""Masks accepted in the image itself, with no image before."""
FIRST_TEST = 5
"""Place in the order from which images are proposed in."""


@dataclass
class Counts:
    """What was proposed in the images of one order."""

    right: int = 0
    proposed: int = 0
    objects: int = 0

    def add(self, proposals: Proposals, truth: NDArray[np.int32]) -> None:
        """Count proposals that match an object of the label map ``truth``."""
        self.right += matched(proposals, truth)
        self.proposed += len(proposals.scores)
        self.objects += len(np.unique(truth[truth >= 0]))


@dataclass
class Images:
    """A set with its features, each computed once and kept in ``folder``."""

    dataset: InstanceDataset
    predictor: Predictor
    folder: Path
    samples: dict[int, Sample] = field(default_factory=dict)

    def sample(self, index: int) -> Sample:
        """Return an image with its objects."""
        return self.samples.setdefault(index, self.dataset[index])

    def features(self, index: int) -> ImageFeatures:
        """Return the features of an image."""
        version = self.predictor.model.version
        path = self.folder / f"{self.dataset.name}-{index}-{version}.safetensors"
        if not path.is_file():
            self.predictor.encode(self.sample(index).image).save(path)
        return ImageFeatures.load(path).to(self.predictor.model.device)

    def half(self, number: int) -> list[int]:
        """Return the images of one half; it depends on their names only."""
        names = [f"half {name}".encode() for name in self.dataset.sample_ids]
        return [i for i, one in enumerate(names) if blake2b(one).digest()[0] % 2 == number]


def main() -> None:
    """Measure and report."""
    arguments = parse()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    predictor = Predictor(dynamite.load("lite"))
    found: dict[str, list[Counts]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.features or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.sets:
            dataset = open_dataset(name, arguments.data, on_problem="skip")
            images = Images(dataset, predictor, folder)
            for row, counts in measure(images, arguments):
                found.setdefault(row, []).append(counts)
            picture(images, arguments)
    rows = {row: [vars(one) for one in counts] for row, counts in found.items()}
    (arguments.out / "like_this.json").write_text(json.dumps(rows, indent=1))
    Console(width=120).print(table(found))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="+", help="dsb2018, facade, …")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--most", type=int, default=20, help="images proposed in for each seed")
    parser.add_argument("--half", type=int, choices=[0, 1], default=1)
    parser.add_argument("--features", type=Path, help="folder that keeps features between runs")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("like_this"))
    return parser.parse_args()


def measure(images: Images, arguments: argparse.Namespace) -> Iterator[tuple[str, Counts]]:
    """Yield rows, each with the counts of one seed."""
    for seed in range(arguments.seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(images.half(arguments.half)).tolist()
        known = {index: described(images, index, rng) for index in order[: max(ACCEPTED)]}
        counts: dict[str, Counts] = defaultdict(Counts)
        tests = order[FIRST_TEST : FIRST_TEST + arguments.most]
        for test in track(tests, f"{images.dataset.name}, order {seed + 1}"):
            sample, features = images.sample(test), images.features(test)
            for label in sorted(set(sample.labels)):
                truth = only(sample, label)
                names = [images.dataset.name]
                if len(set(sample.labels)) > 1:
                    names.append(f"{images.dataset.name}: {label}")
                for count in ACCEPTED:
                    given = [known[i][label] for i in order[:count] if label in known[i]]
                    if given:
                        proposals = run(images, features, given)
                        for name in names:
                            counts[f"{name} | {count} images"].add(proposals, truth)
                for count in MASKS:
                    own = np.unique(truth[truth >= 0])
                    chosen = rng.permutation(own)[:count].tolist()
                    masks = np.where(np.isin(truth, chosen), truth, -1)
                    one = describe(features, masks, chosen, rng, ignore=sample.ignore)
                    if one is not None and len(own) > count:
                        proposals = run(images, features, [one], masks)
                        for name in names:
                            row = f"{name} | {count} masks in the image"
                            counts[row].add(proposals, np.where(masks >= 0, -1, truth))
        yield from counts.items()


def described(images: Images, index: int, rng: np.random.Generator) -> dict[str, Description]:
    """Return the descriptions of an accepted image by label."""
    return describe_labels(images.features(index), images.sample(index), rng)


def run(
    images: Images,
    features: ImageFeatures,
    given: Sequence[Description],
    known: NDArray[np.int32] | None = None,
) -> Proposals:
    """Return what is proposed in an image."""
    return propose(
        features,
        Likeness.learn(given),
        lambda clicks: images.predictor.segment(features, clicks),
        known=None if known is None else known.astype(np.int16),
    )


def only(sample: Sample, label: str) -> NDArray[np.int32]:
    """Return the label map of the objects of one label."""
    own = [i for i, one in enumerate(sample.labels) if one == label]
    return np.where(np.isin(sample.label_map, own), sample.label_map, -1)


def table(found: dict[str, list[Counts]]) -> Table:
    """Return a table: means over the orders, and their standard errors."""
    drawn = Table(title="More like this", title_justify="left")
    for name in ("set", "accepted", "objects", "recall", "precision"):
        drawn.add_column(name, justify="left" if name in ("set", "accepted") else "right")
    for row, counts in sorted(found.items()):
        name, accepted = row.split(" | ")
        recall = [one.right / max(one.objects, 1) for one in counts]
        precision = [one.right / max(one.proposed, 1) for one in counts]
        objects = sum(one.objects for one in counts)
        drawn.add_row(name, accepted, str(objects), *map(_with_error, (recall, precision)))
    return drawn


def _with_error(values: Sequence[float]) -> str:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{np.mean(values):.2f} ± {error:.2f}"


def picture(images: Images, arguments: argparse.Namespace) -> None:
    """Draw what is proposed in some images after three others: right ones green, others red."""
    rng = np.random.default_rng(0)
    order = rng.permutation(images.half(arguments.half)).tolist()
    known = [described(images, index, rng) for index in order[:3]]
    label = max(known[0], key=lambda one: len(known[0][one].areas))
    drawn = []
    for index in order[FIRST_TEST : FIRST_TEST + 4]:
        sample, features = images.sample(index), images.features(index)
        proposals = run(images, features, [one[label] for one in known if label in one])
        drawn.append(outlined(sample, proposals, only(sample, label)))
    path = arguments.out / f"{images.dataset.name}.png"
    Image.fromarray(np.hstack(drawn)).save(path)


def outlined(sample: Sample, proposals: Proposals, truth: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return an image 480 pixels high with its proposals outlined."""
    height = 480
    width = round(height * sample.image.shape[1] / sample.image.shape[0])
    canvas = cv2.resize(sample.image, (width, height), interpolation=cv2.INTER_CUBIC)
    labels = cv2.resize(proposals.label_map, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    for index in range(len(proposals.scores)):
        alone = Proposals(
            np.where(proposals.label_map == index, np.int16(0), np.int16(-1)),
            proposals.scores[index : index + 1],
            proposals.seeds[index : index + 1],
        )
        color = (60, 220, 60) if matched(alone, truth) else (240, 60, 60)
        outlines, _ = cv2.findContours(
            (labels == index).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(canvas, outlines, -1, color, 2)
    return np.asarray(canvas, np.uint8)


if __name__ == "__main__":
    main()
