"""What projects' objects look like, for a serving process: learned when asked, kept while it holds.

The files are those of ``KeptDescriptions``. A damaged one, or one of other weights, counts as none:
a fault here never costs more than the proposals.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.proposing.kept import Kept, KeptDescriptions, Project

if TYPE_CHECKING:
    from dynamite.proposals.description import Description

log = logging.getLogger(__name__)

MOST = 8
"""Projects whose descriptions are held in memory, the last used ones."""

Stamp = tuple[int, int, int]
"""Tells one state of a file from another: inode, time, size."""


@dataclass(frozen=True)
class _Read:
    stamp: Stamp
    kept: Kept | None


class Likenesses:
    """Descriptions of projects, read again when their files change. Thread-safe."""

    def __init__(self, kept: KeptDescriptions) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._read: OrderedDict[Project, _Read] = OrderedDict()

    def labels(self, project: Project, version: str, *, worth_it: bool) -> list[str]:
        """Return the labels of a project that are described for a model version.

        ``worth_it``: those alone whose proposals are mostly right.
        """
        kept = self._current(project)
        if kept is None or kept.record.model_version != version:
            return []
        return [one.label for one in kept.record.verdicts if one.is_on or not worth_it]

    def of(self, project: Project, label: str, version: str) -> "Sequence[Description]":
        """Return the descriptions of a label for a model version; none where there are none."""
        kept = self._current(project)
        if kept is None or kept.record.model_version != version:
            return ()
        return kept.of(label)

    def _current(self, project: Project) -> Kept | None:
        stamp = self._stamp(project)
        with self._lock:
            known = self._read.get(project)
            if known is not None and known.stamp == stamp:
                self._read.move_to_end(project)
                return known.kept
        kept = self._kept.read(project)
        with self._lock:
            self._read[project] = _Read(stamp, kept)
            self._read.move_to_end(project)
            while len(self._read) > MOST:
                self._read.popitem(last=False)
        return kept

    def _stamp(self, project: Project) -> Stamp:
        try:
            found = self._kept.path(project).stat()
        except OSError:
            return 0, 0, 0
        return found.st_ino, found.st_mtime_ns, found.st_size
