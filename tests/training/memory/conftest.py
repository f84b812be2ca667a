"""What the tests of project memory share: drawn images and a network that sees them whole."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import dynamite
from dynamite.network.config import Resize
from dynamite.network.model import DynaMITE
from tests.training.tiny_run import TINY_MODEL, write_data
from training.annotation_store import (
    AcceptedAnnotation,
    AcceptedImage,
    AnnotationStore,
    Region,
    encode_mask,
)
from training.data.catalog import open_dataset
from training.data.sample import Sample


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    dataset = open_dataset("shapes", write_data(tmp_path_factory.mktemp("sets")))
    return [dataset[index] for index in range(4)]


def tiny_model() -> DynaMITE:
    found = dynamite.load("lite", random_weights=True, resize=Resize(64, 64), **TINY_MODEL)
    found.version = "tiny-1"
    return found


@pytest.fixture
def model() -> DynaMITE:
    return tiny_model()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnnotationStore]:
    with AnnotationStore(tmp_path / "annotations") as found:
        yield found


def accept(store: AnnotationStore, number: int, sample: Sample, project: int = 3) -> None:
    """Accept all objects of a sample as one annotation; a higher number is a newer one."""
    data = cv2.imencode(".png", sample.image[..., ::-1])[1].tobytes()
    height, width = sample.label_map.shape
    masks = [sample.label_map == index for index in range(len(sample.labels))]
    regions = tuple(
        Region(f"r{index}", label, encode_mask(mask), int(np.count_nonzero(mask)))
        for index, (label, mask) in enumerate(zip(sample.labels, masks, strict=True))
    )
    image = AcceptedImage(store.put_image(data), height, width, regions)
    time = f"2026-01-01T00:00:{number:02d}.000000+00:00"
    store.apply(AcceptedAnnotation("label_studio", number, number, project, time, images=(image,)))
