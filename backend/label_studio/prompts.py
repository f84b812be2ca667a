"""The body of ``/predict`` → typed values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.label_studio.labeling_config import LabelingConfig
from backend.session.evidence import Evidence, ImageKey, Prompt, Snapshot


@dataclass(frozen=True)
class Task:
    """One task of a call. ``images`` are the unresolved addresses in ``data``."""

    id: str
    images: Mapping[ImageKey, str]
    drafts: tuple[Snapshot, ...] = ()
    annotations: tuple[Snapshot, ...] = ()
    predictions: tuple[Snapshot, ...] = ()


@dataclass(frozen=True)
class Call:
    """A call of ``/predict``; ``evidence`` is None for a batch (context null)."""

    project: str
    config: LabelingConfig
    tasks: tuple[Task, ...]
    evidence: Evidence | None
    notes: tuple[str, ...] = ()

    @property
    def interactive(self) -> bool:
        """Whether an annotator waits for this call."""
        return self.evidence is not None


def read_call(body: object, background: Iterable[str] = ("Background",)) -> Call:
    """Read the JSON body of ``/predict``.

    What is wrong in the context of an interactive call is an error; what is wrong in a draft or an
    annotation is left out and noted in ``notes``, for the log.

    Raises:
        BadRequestError: with codes ``bad_body``, ``bad_label_config``, ``no_brush_labels``,
            ``unknown_label``, ``bad_region``, ``too_many_regions``.
    """
    raise NotImplementedError
