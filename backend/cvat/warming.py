"""Encodes frames before their first click: those of new jobs, and those that a command sends."""

import time

from backend.cvat.api import CvatApi, CvatError
from backend.cvat.interactor import Interactor
from backend.errors import BadRequestError
from backend.serving.admission import Admission
from backend.serving.device_thread import Urgency
from backend.serving.engine import Engine
from backend.serving.prewarm import Prewarmer
from backend.settings import Settings

MOST_FRAMES = 100
"""Frames of a new job that are encoded at once: more would push one another out of the cache."""

READY_SECONDS = 5.0
"""When a frame is asked for again: a job is announced before its frames can be had."""


class Warming:
    """Encodes frames behind all clicks. Safe to use from many threads."""

    def __init__(
        self, settings: Settings, engine: Engine, admission: Admission, interactor: Interactor
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._admission = admission
        self._interactor = interactor
        self._prewarmer = Prewarmer(self._warm_frame)

    def warm(self, data: bytes, project: int | None = None) -> None:
        """Encode a frame of a project now, in a place of its own.

        Raises:
            BadRequestError: there is no file.
            ImageError: it cannot be read.
        """
        if not data:
            raise BadRequestError("the body must be the file of a frame")
        with self._admission.place():
            self._encode(data, project)

    def prepare(self, job: int, first: int, last: int, project: int | None = None) -> int:
        """Have the first frames of a job encoded in the background; return how many."""
        if self._settings.cvat_url is None or self._settings.cvat_token is None:
            return 0
        frames = range(first, min(last + 1, first + MOST_FRAMES))
        of = "" if project is None else project
        return sum(self._prewarmer.ask(f"{job}/{frame}/{of}", f"job {job}") for frame in frames)

    def close(self) -> None:
        """Stop encoding in the background."""
        self._prewarmer.close()

    def _warm_frame(self, address: str, _: str) -> None:
        job, frame, project = address.split("/")
        url, token = self._settings.cvat_url, self._settings.cvat_token
        if url is None or token is None:
            return
        with CvatApi(str(url), token.get_secret_value()) as api:
            try:
                data = api.frame(int(job), int(frame))
            except CvatError:
                time.sleep(READY_SECONDS)
                data = api.frame(int(job), int(frame))
        self._encode(data, int(project) if project else None)

    def _encode(self, data: bytes, project: int | None) -> None:
        self._interactor.note_project(data, project)
        image = self._interactor.open(data)
        self._engine.features(
            image.digest,
            image.pixels,
            urgency=Urgency.PREWARM,
            waiting=self._admission.encoding,
        )
