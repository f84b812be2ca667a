"""COCO json: public sets, our own accepted annotations, and the folders of one image set each.

Beyond COCO's keys: annotation `ignore` (RLE: neither object nor background) and image
`exhaustive` (false: some objects are not annotated). Crowd regions are ignored, not objects.
"""

from pathlib import Path
from typing import Any, Unpack

from training.data.box_mask import decode_box
from training.data.coco_entries import Annotation, load_json, read_entries
from training.data.images import read_image
from training.data.masks import decode
from training.data.open_options import Opening
from training.data.problems import DatasetError, Problems
from training.data.sample import Instance, Mask, Sample, compose


class CocoDataset:
    """The images of a COCO json that have at least one object.

    Objects are painted large to small; those of which nothing is visible are left out unless
    `keep_hidden`. `content` is the parsed json, `source` its path for messages, file names are
    relative to `folder`. Raises DatasetError for any problem unless `on_problem` is "skip": then
    `problems` tells what was left out. `without_objects` names the images that have no object;
    they are samples only if `keep_empty`.
    """

    def __init__(
        self,
        content: dict[str, Any],
        folder: Path,
        source: Path,
        *,
        name: str,
        **how: Unpack[Opening],
    ) -> None:
        self.name = name
        self._min_visible_area = -1 if how.get("keep_hidden") else 0
        self.problems = Problems()
        entries = list(read_entries(content, folder, source, self.problems))
        self.problems.settle(source, how.get("on_problem", "raise"))
        keep_empty = how.get("keep_empty", False)
        self._entries = [entry for entry in entries if entry.has_object or keep_empty]
        self.sample_ids = [f"{name}/{entry.file_name}" for entry in self._entries]
        self.without_objects = [
            f"{name}/{entry.file_name}" for entry in entries if not entry.has_object
        ]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self._entries[index]
        image = read_image(entry.file)
        if image.shape[:2] != entry.shape:
            raise DatasetError(f"{entry.file}: is {image.shape[:2]}, the json says {entry.shape}")
        unknown: Mask | None = None
        crowd: Mask | None = None
        instances = []
        for annotation in entry.annotations:
            if annotation.ignore is not None:
                band = decode(annotation.ignore, entry.shape)
                unknown = band if unknown is None else unknown | band
            if annotation.crowd:
                mask = decode(annotation.segmentation, entry.shape)
                crowd = mask if crowd is None else crowd | mask
            else:
                instances.append(_instance(annotation, entry.shape))
        return compose(
            image,
            instances,
            self.sample_ids[index],
            unknown=unknown,
            crowd=crowd,
            exhaustive=entry.exhaustive,
            min_visible_area=self._min_visible_area,
        )


def _instance(annotation: Annotation, shape: tuple[int, int]) -> Instance:
    mask = decode_box(annotation.segmentation, shape)
    return Instance(
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
    **how: Unpack[Opening],
) -> CocoDataset:
    """The set of a COCO json file; images lie in the json's folder unless another is given."""
    return CocoDataset(
        load_json(json_path),
        image_folder or json_path.parent,
        json_path,
        name=name or json_path.parent.name,
        **how,
    )
