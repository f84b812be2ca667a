"""Data sets of picture and mask-file pairs: the shape all benchmarks but COCO share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np

from training.data.box_mask import box_mask
from training.data.images import image_size, is_file, read_image
from training.data.open_options import Opening
from training.data.problems import DatasetError, Problems
from training.data.progress import watch
from training.data.region_files import ReadRegions, Regions
from training.data.sample import Instance, Sample, compose


@dataclass(frozen=True)
class Pair:
    """One picture and its mask file."""

    sample_id: str  # without the set's name
    image: Path
    mask: Path


class PairedDataset:
    """Pictures with mask files; every file is read once when the set is opened, to be checked.

    With `single_instance` each object is a sample of its own, all other objects being background.
    `problems` are those found while the pairs were listed. `highest_number` bounds the numbers that
    count as objects, by sample id (DAVIS 2017: those of the first frame). A picture without
    objects is a problem unless it `may_be_empty`; `without_objects` lists them, and `keep_empty`
    makes samples of those that may be. Raises DatasetError for problems unless `on_problem` is
    "skip".
    """

    def __init__(
        self,
        name: str,
        pairs: Sequence[Pair],
        read_regions: ReadRegions,
        *,
        problems: Problems | None = None,
        single_instance: bool = False,
        may_be_empty: bool = False,
        highest_number: dict[str, int] | None = None,
        **how: Unpack[Opening],
    ) -> None:
        self.name = name
        self._read_regions = read_regions
        self._highest_number = highest_number or {}
        self.problems = Problems() if problems is None else problems
        self.without_objects: list[str] = []
        self._items: list[tuple[Pair, int | None]] = []
        seen: set[str] = set()
        for pair in watch(pairs, f"Checking the masks of {name}"):
            if pair.sample_id in seen:
                self.problems.add("duplicate id", pair.image, None, f"{pair.sample_id} twice")
                continue
            seen.add(pair.sample_id)
            numbers = self._check(pair)
            if numbers is None:
                continue
            if not numbers:
                self.without_objects.append(f"{name}/{pair.sample_id}")
                if not may_be_empty:
                    self.problems.add("empty mask", pair.mask, None, "no pixel is of an object")
                elif how.get("keep_empty"):
                    self._items.append((pair, None))
            elif single_instance:
                self._items += [(pair, number) for number in numbers]
            else:
                self._items.append((pair, None))
        self.problems.settle(name, how.get("on_problem", "raise"))
        self.sample_ids = [
            f"{name}/{pair.sample_id}" + ("" if number is None else f"#{number}")
            for pair, number in self._items
        ]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Sample:
        pair, single = self._items[index]
        regions = self._regions(pair)
        numbers = _present(regions) if single is None else [single]
        instances = []
        for number in numbers:
            mask = box_mask(regions.numbers == number)
            label = regions.names.get(number, f"object {number}")
            instances.append(Instance(mask, label, mask.area, number))
        return compose(
            read_image(pair.image), instances, self.sample_ids[index], unknown=regions.ignore
        )

    def _regions(self, pair: Pair) -> Regions:
        regions = self._read_regions(pair.mask)
        highest = self._highest_number.get(pair.sample_id)
        if highest is None:
            return regions
        kept = np.where(regions.numbers <= highest, regions.numbers, 0)
        return replace(regions, numbers=kept.astype(np.int32))

    def _check(self, pair: Pair) -> list[int] | None:
        """The numbers of the objects, or None if the pair cannot be used."""
        for path in (pair.image, pair.mask):
            if not is_file(path):
                self.problems.add("missing file", path, None, "no such file")
                return None
        try:
            size = image_size(pair.image)
        except DatasetError as error:
            self.problems.add("unreadable image", pair.image, None, str(error))
            return None
        try:
            regions = self._regions(pair)
        except DatasetError as error:
            self.problems.add("unreadable mask", pair.mask, None, str(error))
            return None
        if regions.numbers.shape != size:
            detail = f"the mask is {regions.numbers.shape}, its image {size} (H, W)"
            self.problems.add("wrong size", pair.mask, None, detail)
            return None
        return _present(regions)


def _present(regions: Regions) -> list[int]:
    """Numbers of the objects that have a pixel which counts, ascending."""
    counted = regions.numbers[~regions.ignore]
    return [int(number) for number in np.unique(counted) if number > 0]
