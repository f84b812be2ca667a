"""A retraining as it goes through the queue. Imports pydantic only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from dynamite.errors import DynamiteError
from training.retraining.options import JobOptions


class RequestError(DynamiteError):
    """A retraining request is malformed, or cannot be carried out."""


class RetrainingRequest(BaseModel):
    """One training of one line of models on one snapshot.

    Attributes:
        line: name of the line of models.
        reason: why the training was asked for.
        digest: digest of the snapshot.
        change: the annotation store's change number at the snapshot: a higher one is newer.
        snapshot: folder of the snapshot.
        images: images of the snapshot, by part.
        models: folder of the registry.
        run: folder of this training.
        begun: whether the registry is known to have had entries. If it looks empty, its share is
            not mounted.
        preset: network that is served while no version is current.
        checkpoint: weights that are served while no version is current; None for the shipped ones.
        options: how to train and judge.
        job: shared by all attempts at this request. The same data requested again get another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: str
    reason: str
    digest: str
    change: int = 0
    snapshot: Path
    images: dict[str, int]
    models: Path
    run: Path
    begun: bool = False
    preset: str = "lite"
    checkpoint: Path | None = None
    options: JobOptions = JobOptions.model_validate({})
    job: str = ""

    @property
    def job_id(self) -> str:
        """Id of its job in the queue: the same for the same line and data."""
        return f"train-{self.line}-{self.digest}"


def read_request(values: Mapping[str, Any]) -> RetrainingRequest:
    """Validate a request that came out of the queue.

    Raises:
        RequestError: a field is unknown, missing or invalid.
    """
    try:
        return RetrainingRequest.model_validate(dict(values))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise RequestError(f"the training job says {place}: {fault['msg']}") from None
