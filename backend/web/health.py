"""Whether this backend lives, is up, which model answers, and which versions there are: as JSON."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from backend.jobs.job_queue import JobQueue
from backend.serving.engine import Engine
from backend.web.model_status import ModelStatus

NAME = "health"

OPEN = frozenset({f"{NAME}.health", f"{NAME}.live"})
"""Endpoints without a password: launchers and containers ask whether the server is up."""


class Health:
    """The routes ``/health``, ``/live`` and ``/versions``."""

    def __init__(
        self,
        engine: Engine,
        queue: JobQueue,
        model_status: ModelStatus,
        is_draining: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._model_status = model_status
        self._is_draining = is_draining
        self.blueprint = Blueprint(NAME, __name__)
        self.blueprint.add_url_rule("/health", "health", self.health)
        self.blueprint.add_url_rule("/live", "live", self.live)
        self.blueprint.add_url_rule("/versions", "versions", self.versions)

    def health(self) -> tuple[Response, int]:
        """Answer that the server is up, with its model and the workers of its queues.

        While it drains, before it stops, the status sends load balancers elsewhere.
        """
        model, drains = self._engine.model, self._is_draining()
        answer = jsonify(
            status="DRAINING" if drains else "UP",
            model_class="DynaMITE",
            model_version=model.version,
            device=model.device,
            workers=self._queue.workers(at_once=True),
        )
        return answer, 503 if drains else 200

    def live(self) -> Response:
        """Answer, and ask nobody: only a process that cannot do this is helped by a restart.

        A queue server that is away or slow must not restart backends that answer clicks.
        """
        return jsonify(status="LIVE")

    def versions(self) -> Response:
        """Answer the versions, the one that serves first, and how training stands."""
        return jsonify(self._model_status.versions())
