"""Packs a data set into one file that is quick to read and easy to move.

The file is a zip archive, stored without further compression, of JPEG images scaled down, PNG label
maps (0 background, 1 ignored, i + 2 object i) and a ``manifest.json``. Decoding two files per
sample takes a fraction of the time of rasterizing its polygons.
"""

import io
import json
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from dynamite.files import replacing
from training.data.images import decode_image
from training.data.problems import DatasetError
from training.data.sample import NONE, InstanceDataset, Sample
from training.progress import track

FORMAT: Final = "instances-1"
_MANIFEST = "manifest.json"
_IGNORED, _FIRST = 1, 2
"""Pixel values of a PNG label map: ignored, and the first object."""

_MAX_OBJECTS = 2**16 - _FIRST


def pack(
    dataset: InstanceDataset,
    path: Path,
    *,
    longest_side: int = 512,
    quality: int = 85,
) -> int:
    """Write a data set to a file, which appears only when it is complete.

    Args:
        dataset: the set.
        path: the ``.pack`` file to write.
        longest_side: larger images are scaled down to this length, in pixels.
        quality: of the JPEG images, 0 to 100.

    Returns:
        The size of the file in bytes.

    Raises:
        DatasetError: a sample has more objects than a label map holds.
    """
    entries = []
    with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        for index in track(range(len(dataset)), f"Packing {dataset.name}"):
            sample = shrink(dataset[index], longest_side)
            number = f"{index:06d}"
            archive.writestr(f"{number}.jpg", _jpeg(sample.image, quality))
            archive.writestr(f"{number}.png", _png(sample))
            entries.append(
                _Entry(
                    sample.sample_id,
                    sample.labels,
                    sample.parents,
                    sample.stuff,
                    sample.exhaustive,
                    sample.whole_areas,
                )
            )
        manifest = _Manifest(FORMAT, dataset.name, tuple(entries))
        archive.writestr(_MANIFEST, json.dumps(asdict(manifest)), zipfile.ZIP_DEFLATED)
    return path.stat().st_size


def shrink(sample: Sample, longest_side: int) -> Sample:
    """Scale a sample down to this longest side, in pixels; objects that vanish are dropped."""
    height, width = sample.label_map.shape
    factor = longest_side / max(height, width)
    if factor >= 1:
        return sample
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    labels = cv2.resize(sample.label_map, size, interpolation=cv2.INTER_NEAREST_EXACT)
    ignore = cv2.resize(
        sample.ignore.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT
    ).view(np.bool_)
    image = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA)
    smaller = replace(
        sample,
        image=image.astype(np.uint8, copy=False),
        label_map=labels.astype(np.int32, copy=False),
        ignore=ignore,
        whole_areas=tuple(
            round(area * labels.size / sample.label_map.size) for area in sample.whole_areas
        ),
    )
    return smaller.keep(int(index) for index in np.flatnonzero(smaller.areas))


def _jpeg(image: npt.NDArray[np.uint8], quality: int) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(
        ".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    )
    return data.tobytes()


def _png(sample: Sample) -> bytes:
    if len(sample.labels) > _MAX_OBJECTS:
        raise DatasetError(
            f"{sample.sample_id}: {len(sample.labels)} objects, at most {_MAX_OBJECTS} fit"
        )
    values = sample.label_map + _FIRST
    values[sample.label_map == NONE] = 0
    values[sample.ignore] = _IGNORED
    few = len(sample.labels) + _FIRST <= 256
    stored = values.astype(np.uint8) if few else values.astype(np.uint16)
    _, data = cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return data.tobytes()


@dataclass(frozen=True)
class _Entry:
    """The entry of a sample in the manifest."""

    sample_id: str
    labels: tuple[str, ...]
    parents: tuple[int, ...]
    stuff: tuple[bool, ...]
    exhaustive: bool
    whole_areas: tuple[int, ...]


@dataclass(frozen=True)
class _Manifest:
    format: Literal["instances-1"]
    name: str
    samples: tuple[_Entry, ...]


class PackedDataset:
    """A data set read from a file that ``pack`` wrote; kept in memory, still compressed.

    Safe to share between threads and processes.

    Raises:
        DatasetError: the file is not a packed data set; also on access to a damaged item.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
            text = self._archive.read(_MANIFEST)
        except Exception as error:  # a broken archive may raise nearly anything
            raise DatasetError(f"{path}: not a packed data set: {error}") from error
        try:
            manifest = TypeAdapter(_Manifest).validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise DatasetError(
                f"{path}: not in the format {FORMAT}; pack it again ({where}: {fault['msg']})"
            ) from error
        self.name = manifest.name
        self._entries = manifest.samples
        self.sample_ids = [entry.sample_id for entry in self._entries]

    def __reduce__(self) -> tuple[type["PackedDataset"], tuple[Path]]:
        """Pickle the path only: a loader process opens the file itself."""
        return PackedDataset, (self._path,)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self._entries[index]
        source = f"{self._path} ({self.sample_ids[index]})"
        number = f"{range(len(self))[index]:06d}"
        try:
            jpeg, png = (self._archive.read(f"{number}.{kind}") for kind in ("jpg", "png"))
        except Exception as error:  # as above
            raise DatasetError(f"{source}: damaged: {error}; pack the set again") from error
        values = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        if values is None or values.max() >= len(entry.labels) + _FIRST:
            raise DatasetError(f"{source}: damaged label map; pack the set again")
        label_map = values.astype(np.int32) - _FIRST
        ignore = values == _IGNORED
        np.maximum(label_map, NONE, out=label_map)
        return Sample(
            image=decode_image(jpeg, source),
            label_map=label_map,
            labels=entry.labels,
            ignore=ignore,
            sample_id=self.sample_ids[index],
            exhaustive=entry.exhaustive,
            parents=entry.parents,
            stuff=entry.stuff,
            whole_areas=entry.whole_areas,
        )
