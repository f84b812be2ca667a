"""The status page at ``/``: plain HTML, no JavaScript, everything is escaped, no secret shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from flask import Blueprint, Response, make_response, render_template
from markupsafe import escape

from backend.jobs.job_queue import JobQueue
from backend.memory.project_models import ProjectModels
from backend.memory.report import describe
from backend.own_command import as_typed, own_command
from backend.serving.engine import Engine
from backend.serving.error_journal import ErrorJournal
from backend.serving.under_way import UnderWay
from backend.settings import Settings
from backend.settings.secret_words import masked, secret_words
from backend.web.adapter import Adapter, StatusRow
from backend.web.model_status import ModelStatus

if TYPE_CHECKING:
    from backend.features.cache import FeatureCache
    from dynamite.predict.features import ImageFeatures

T = TypeVar("T")

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""The page may load nothing and run nothing, whatever ends up in it."""


def make_blueprint(
    settings: Settings,
    *,
    engine: Engine,
    cache: "FeatureCache[ImageFeatures]",
    queue: JobQueue,
    under_way: UnderWay,
    model_status: ModelStatus,
    journal: ErrorJournal,
    adapters: Sequence[Adapter],
    memories: ProjectModels | None,
) -> Blueprint:
    """The page as a route."""
    routes = Blueprint("status", __name__)
    secrets = [str(escape(word)) for word in secret_words(settings)]
    routes.add_app_template_filter(as_typed)

    @routes.get("/")
    def page() -> Response:
        tools = [(adapter.title, adapter.status()) for adapter in adapters]
        queues = queue.depths()

        def told(question: Callable[[], T | None]) -> T | None:
            """What the queue server says; nothing while it is away: each question would wait."""
            return None if queues is None else question()

        workers = told(queue.workers) or {}
        html = render_template(
            "status.html",
            is_well=is_well(tools, queues, workers, model_status.problem),
            model=engine.model,
            memories=None
            if memories is None
            else describe(memories.records(), engine.model.version),
            waiting=engine.waiting,
            clicks=under_way.clicks(),
            tiers=cache.tiers(),
            queues=queues,
            workers=workers,
            on_disk=queue.on_disk,
            training=told(model_status.training),
            due=told(model_status.due),
            asked=told(model_status.asked),
            backlog=told(model_status.backlog),
            problem=model_status.problem,
            tools=tools,
            guarded=settings.basic_auth_user is not None,
            errors=journal.errors,
            megabytes=megabytes,
            command=own_command(),
        )
        response = make_response(masked(html, secrets))
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-store"
        return response

    return routes


def is_well(
    tools: Sequence[tuple[str, Sequence[StatusRow]]],
    queues: Mapping[str, Mapping[str, int]] | None,
    workers: Mapping[str, int],
    problem: str | None,
) -> bool:
    """Whether nothing on the page needs a person."""
    is_bad = any(row.is_bad for _, rows in tools for row in rows)
    is_working = queues is not None and all(workers.get(name) for name in queues)
    return is_working and not is_bad and problem is None


def megabytes(size: int) -> str:
    """A size in bytes for people: 1,234 MB."""
    return f"{size / 1e6:,.0f} MB"
