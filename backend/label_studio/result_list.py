"""Reads a list of results: entries that belong together become one (docs/label-studio-protocol.md).

One region may have several results: the labels of a Labels tag beside its mask, or a copy under
another tag. One object may have several regions: its parts, as polygons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backend.label_studio.labeling_config import LabelingConfig
from backend.label_studio.parts import joined
from backend.label_studio.raw_values import RegionError
from backend.label_studio.region_reader import read_region
from backend.session.call import Entry
from backend.session.outline import Outline
from backend.session.paint import Paint
from backend.session.stored_masks import Polygons


@dataclass
class Results:
    """The entries of a list, and why others cannot be used, each with its id if it has one."""

    entries: list[Entry] = field(default_factory=list)
    errors: list[tuple[str | None, RegionError]] = field(default_factory=list)


def read_results(results: Sequence[object], config: LabelingConfig) -> Results:
    """Read the regions of a draft, annotation or prediction.

    Of several entries with one id the first counts; one without a label only if it is alone.
    """
    found = Results()
    entries: dict[str, Entry] = {}
    labels = _labels_of_pairs(results)
    for raw in results:
        try:
            entry = read_region(raw, allow_unlabelled=True)
        except RegionError as error:
            name = raw.get("id") if isinstance(raw, Mapping) else None
            found.errors.append((str(name)[:80] if name else None, error))
            continue
        if isinstance(entry, Paint) and not entry.label and entry.id in labels:
            own = labels[entry.id]
            entry = replace(entry, label=own[0], labels=own)
        if entry is not None and (entry.id not in entries or not entries[entry.id].label):
            entries[entry.id] = entry
    found.entries = joined(as_asked(entry, config) for entry in entries.values())
    return found


def as_asked(entry: Entry, config: LabelingConfig) -> Entry:
    """Return a polygon that asks for a mask as a prompt, all else as it is."""
    if not isinstance(entry, Paint) or not isinstance(entry.stored, Polygons):
        return entry
    if not config.asks(entry.from_name, entry.image.name, entry.label):
        return entry
    return Outline(entry.id, entry.label, entry.image, entry.stored, from_name=entry.from_name)


def _labels_of_pairs(results: Sequence[object]) -> dict[str, tuple[str, ...]]:
    """Return what Labels tags say of regions, by id."""
    found: dict[str, tuple[str, ...]] = {}
    for raw in results:
        if not isinstance(raw, Mapping) or raw.get("type") != "labels":
            continue
        value: Any = raw.get("value")
        given = value.get("labels") if isinstance(value, Mapping) else None
        if isinstance(given, list) and (named := tuple(v for v in given if isinstance(v, str))):
            found[str(raw.get("id"))] = named
    return found
