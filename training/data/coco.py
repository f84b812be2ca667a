"""Reads data sets in COCO's json format.

Two keys are ours: ``ignore`` of an annotation (an RLE: pixels that are neither object nor
background) and ``exhaustive`` of an image (false if some objects are not annotated). Crowd regions
are ignored; they are not objects.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from training.data.box_mask import decode_box
from training.data.coco_entries import Annotation, read_entries
from training.data.coco_json import load_json
from training.data.images import read_image
from training.data.licences import with_licences
from training.data.masks import decode
from training.data.open_options import OpenOptions
from training.data.problems import DatasetError, Problems
from training.data.sample import AnnotatedObject, Mask, Sample, compose


class CocoDataset:
    """The images of a COCO json that have at least one object.

    Objects are painted from large to small. Objects without a visible pixel are left out unless
    ``keep_hidden`` is set, images without objects unless ``keep_empty`` is set. ``problems`` lists
    what was left out as faulty, ``without_objects`` the images without objects, ``only_crowds``
    those of them that hold crowds. Where a faulty annotation was left out, pixels are ignored.

    Args:
        content: the parsed json.
        folder: the folder that file names are relative to.
        source: the path of the json, for messages.
        name: name of the set, and the prefix of its sample ids.
        **options: see ``OpenOptions``.

    Raises:
        DatasetError: the json has problems and ``on_problem`` is not ``"skip"``.
    """

    def __init__(
        self,
        content: dict[str, Any],
        folder: Path,
        source: Path,
        *,
        name: str,
        **options: Unpack[OpenOptions],
    ) -> None:
        self.name = name
        self._min_visible_area = -1 if options.get("keep_hidden") else 0
        self.problems = Problems()
        entries = list(read_entries(content, folder, source, self.problems))
        self.problems.settle(source, options.get("on_problem", "raise"))
        keep_empty = options.get("keep_empty", False)
        self._entries = [entry for entry in entries if entry.has_object or keep_empty]
        self.sample_ids = [f"{name}/{entry.file_name}" for entry in self._entries]
        without = [entry for entry in entries if not entry.has_object]
        self.without_objects = [f"{name}/{entry.file_name}" for entry in without]
        self.only_crowds = [f"{name}/{entry.file_name}" for entry in without if entry.has_crowd]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self._entries[index]
        image = read_image(entry.file)
        if image.shape[:2] != entry.shape:
            raise DatasetError(
                f"{entry.file}: is {image.shape[:2]}, the json says {entry.shape} (H, W)"
            )
        unknown: Mask | None = None
        crowd: Mask | None = None
        objects = []
        for annotation in entry.annotations:
            if annotation.ignore is not None:
                band = decode(annotation.ignore, entry.shape)
                unknown = band if unknown is None else unknown | band
            if annotation.crowd:
                mask = decode(annotation.segmentation, entry.shape)
                crowd = mask if crowd is None else crowd | mask
            else:
                objects.append(_annotated_object(annotation, entry.shape))
        return compose(
            image,
            objects,
            self.sample_ids[index],
            unknown=unknown,
            crowd=crowd,
            exhaustive=entry.exhaustive,
            min_visible_area=self._min_visible_area,
        )


def _annotated_object(annotation: Annotation, shape: tuple[int, int]) -> AnnotatedObject:
    mask = decode_box(annotation.segmentation, shape)
    return AnnotatedObject(
        mask=mask,
        label=annotation.label,
        area=mask.area,
        annotation_id=annotation.annotation_id,
        stuff=annotation.stuff,
    )


def open_coco(
    json_path: Path,
    image_folder: Path | None = None,
    *,
    name: str | None = None,
    licences: Sequence[str] = (),
    **options: Unpack[OpenOptions],
) -> CocoDataset:
    """Open the set of a COCO json; its images lie beside it unless ``image_folder`` is given.

    With ``licences``, only the images under these (``with_licences``).
    """
    return CocoDataset(
        with_licences(load_json(json_path), licences, json_path),
        image_folder or json_path.parent,
        json_path,
        name=name or json_path.parent.name,
        **options,
    )
