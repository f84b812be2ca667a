"""Whether this backend is up, which model answers, and which versions there are: as JSON."""

from flask import Blueprint, Response, jsonify

from backend.jobs.job_queue import JobQueue
from backend.serving.engine import Engine
from backend.web.model_status import ModelStatus

NAME = "health"

OPEN = frozenset({f"{NAME}.health"})
"""Endpoints without a password: launchers and containers ask whether the server is up."""


class Health:
    """The routes ``/health`` and ``/versions``."""

    def __init__(self, engine: Engine, queue: JobQueue, model_status: ModelStatus) -> None:
        self._engine = engine
        self._queue = queue
        self._model_status = model_status
        self.blueprint = Blueprint(NAME, __name__)
        self.blueprint.add_url_rule("/health", "health", self.health)
        self.blueprint.add_url_rule("/versions", "versions", self.versions)

    def health(self) -> Response:
        """Answer that the server is up, with its model and the workers of its queues."""
        model = self._engine.model
        return jsonify(
            status="UP",
            model_class="DynaMITE",
            model_version=model.version,
            device=model.device,
            workers=self._queue.workers(at_once=True),
        )

    def versions(self) -> Response:
        """Answer the versions, the one that serves first, and how training stands."""
        return jsonify(self._model_status.versions())
