"""Writes an export: whole, or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dynamite.errors import DynamiteError
from dynamite.files import new_folder
from training.annotation_store import AnnotationStore
from training.export.coco import Coco
from training.export.format import Format
from training.export.pictures import Picture, write_image
from training.export.png import Png
from training.export.yolo import Yolo
from training.progress import Counter

FORMATS: Mapping[str, Callable[[Path, Sequence[str]], Format]] = {
    "coco": Coco,
    "coco-polygons": partial(Coco, polygons=True),
    "png": Png,
    "yolo": Yolo,
}
"""The formats by the names that the command knows."""


class ExportError(DynamiteError):
    """There is nothing to export, or no place for it."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        pictures: how many.
        objects: how many.
        labels: how many.
        notes: what the format cannot hold as it is: how many, by the words for them.
        missing: the names of pictures that were left out, since the store has no file of them.
    """

    pictures: int
    objects: int
    labels: int
    notes: Mapping[str, int]
    missing: Sequence[str]


def write_export(
    store: AnnotationStore,
    chosen: Sequence[Picture],
    folder: Path,
    form: str,
    labels: Sequence[str] = (),
) -> Exported:
    """Write pictures into a new folder.

    Args:
        store: has the files of the pictures.
        chosen: the pictures.
        folder: must not exist yet.
        form: one of ``FORMATS``.
        labels: those that come first, in this order; others follow by name.

    Raises:
        ExportError: there is no picture to write.
        FileExistsError: the folder exists.
        DatasetError: a picture cannot be read.
    """
    lost = {one.name for one in chosen if not store.image_path(one.image.digest).is_file()}
    there = [one for one in chosen if one.name not in lost]
    if not there:
        raise ExportError(f"{folder} is not written: there is no accepted mask to export")
    used = {region.label for one in there for region in one.image.regions}
    order = list(dict.fromkeys([*labels, *sorted(used)]))
    with new_folder(folder) as draft, Counter() as bar:
        (draft / "images").mkdir()
        writer = FORMATS[form](draft, order)
        bar.begin(f"Writing {folder.name}", len(there))
        for picture in there:
            data = store.image_path(picture.image.digest).read_bytes()
            writer.add(picture, write_image(data, draft / "images", picture.name))
            bar.advance()
        writer.finish()
    return Exported(
        pictures=len(there),
        objects=sum(len(one.image.regions) for one in there),
        labels=len(order),
        notes={words: count for words, count in writer.notes.items() if count},
        missing=sorted(lost),
    )
