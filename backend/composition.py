"""Puts a serving process together: the one module that mounts the adapters of annotation tools."""

import logging
import threading
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from flask import Flask

from backend.cvat.adapter import Cvat
from backend.cvat.collect.job_names import EVENT_JOB as CVAT_EVENT_JOB
from backend.jobs.job_queue import JobQueue, at_work
from backend.label_studio.access import unused_token
from backend.label_studio.adapter import LabelStudio
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.memory.adapting import with_memory
from backend.memory.project_models import ProjectModels
from backend.proposals.further import Further
from backend.proposals.likenesses import Likenesses
from backend.proposals.proposer import Proposer
from backend.proposals.report import prelabelled
from backend.serving.admission import Admission
from backend.serving.answer_log import AnswerLog
from backend.serving.answering import Answering, without_memory
from backend.serving.current_model import load_current
from backend.serving.engine import Engine, SupersededError
from backend.serving.error_journal import ErrorJournal
from backend.serving.image_cache import pixel_budget
from backend.serving.meters import Meters
from backend.serving.model_watcher import ModelWatcher
from backend.serving.page_models import PageModels
from backend.serving.shared_pages import SharedPages
from backend.serving.under_way import UnderWay
from backend.session.store import SessionStore
from backend.settings import Settings, typo_warnings
from backend.settings.folders import descriptions_folder, memory_folder, open_registry
from backend.web import description, metrics, status_page
from backend.web.adapter import Adapter
from backend.web.app import create_app
from backend.web.error_reports import ErrorReports
from backend.web.health import Health
from backend.web.metrics_state import MetricsState
from backend.web.model_status import ModelStatus
from training.memory.kept import KeptMemories
from training.proposing.kept import KeptDescriptions

if TYPE_CHECKING:
    from backend.features.cache import FeatureCache
    from dynamite.predict.features import ImageFeatures

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backend:
    """The parts of a serving process. Each is safe to use from many threads.

    ``draining`` is set once the process is about to stop, and goes on answering meanwhile.
    """

    settings: Settings
    engine: Engine
    cache: "FeatureCache[ImageFeatures]"
    shared_pages: SharedPages
    sessions: SessionStore
    page_models: PageModels
    queue: JobQueue
    answer_log: AnswerLog
    admission: Admission
    journal: ErrorJournal
    meters: Meters
    under_way: UnderWay
    reports: ErrorReports
    watcher: ModelWatcher | None
    memories: ProjectModels | None
    model_status: ModelStatus
    answering: Answering
    health: Health
    label_studio: LabelStudio
    cvat: Cvat | None
    draining: threading.Event

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """The annotation tools that are mounted."""
        return (self.label_studio,) if self.cvat is None else (self.label_studio, self.cvat)

    @cached_property
    def app(self) -> Flask:
        """The web application."""
        state = MetricsState(
            self.engine,
            self.cache,
            self.queue,
            self.model_status,
            self.journal,
            self.memories,
        )
        pages = [
            self.health.blueprint,
            status_page.make_blueprint(
                self.settings,
                engine=self.engine,
                cache=self.cache,
                queue=self.queue,
                under_way=self.under_way,
                model_status=self.model_status,
                journal=self.journal,
                adapters=self.adapters,
                memories=self.memories,
            ),
            metrics.make_blueprint([state, *self.meters.collectors()]),
            description.make_blueprint(),
        ]
        return create_app(self.settings, self.journal, self.adapters, pages)

    def close(self) -> None:
        """Stop all threads."""
        for follower in (self.watcher, self.memories):
            if follower is not None:
                follower.close()
        for adapter in self.adapters:
            adapter.close()
        self.engine.close()
        self.shared_pages.close()
        self.queue.close()
        self.answer_log.close()
        self.cache.close()


def open_backend(settings: Settings) -> Backend:
    """Load the model, open caches and queue. Takes seconds; nothing is loaded later.

    Raises:
        DynamiteError: no weights, an unknown device, a folder that cannot be written.
    """
    from backend.features.opening import open_cache  # noqa: PLC0415  it loads torch
    from backend.serving.loading import load_model  # noqa: PLC0415  it loads torch

    registry = open_registry(settings)
    model, entry = load_current(settings, registry)
    cache = open_cache(settings, model.device, cancellations=(SupersededError,))
    meters = Meters()
    engine = Engine(model, cache, meters.observe)
    journal = ErrorJournal()
    watcher = ModelWatcher(
        registry,
        load=lambda weights: load_model(settings, weights),
        swap=engine.swap,
        alarm=ErrorReports(journal).alarm,
        serving=entry.version,
        number=entry.number,
    )
    names = at_work(memory=settings.memory)
    queue = JobQueue(settings.queue_url, settings.state_dir / "spool", EVENT_JOB, names=names)
    cvat_queue = None
    if settings.cvat:
        spool = settings.state_dir / "spool" / "cvat"
        cvat_queue = JobQueue(settings.queue_url, spool, CVAT_EVENT_JOB)
    memories = None
    if settings.memory:
        kept = KeptMemories(memory_folder(settings))
        memories = ProjectModels(kept, lambda: engine.model, with_memory)
    backend = assemble(
        settings,
        engine=engine,
        cache=cache,
        queue=queue,
        journal=journal,
        meters=meters,
        watcher=watcher,
        memories=memories,
        cvat_queue=cvat_queue,
    )
    watcher.start()
    if memories is not None:
        memories.start()
    backend.label_studio.connection.try_token(may_be_away=True)
    return backend


def assemble(
    settings: Settings,
    *,
    engine: Engine,
    cache: "FeatureCache[ImageFeatures]",
    queue: JobQueue,
    journal: ErrorJournal,
    meters: Meters,
    watcher: ModelWatcher | None = None,
    memories: ProjectModels | None = None,
    cvat_queue: JobQueue | None = None,
) -> Backend:
    """Put the parts together around an engine that is ready to be used.

    CVAT is answered if it has a queue of its own.
    """
    for words in filter(None, (unused_token(settings), *typo_warnings())):
        log.warning("%s", words)
    shared_pages = SharedPages(settings.queue_url)
    sessions = SessionStore(max_pixels=settings.max_image_pixels, tier=shared_pages)
    page_models = PageModels(sessions.has_pending)
    admission = Admission(settings.threads)
    answer_log = AnswerLog(settings.queue_url)
    under_way = UnderWay()
    reports = ErrorReports(journal)
    model_status = ModelStatus(engine, queue, open_registry(settings), settings.line, watcher)
    draining = threading.Event()
    descriptions = KeptDescriptions(descriptions_folder(settings))
    further = Further(
        Proposer(Likenesses(descriptions)),
        engine=engine,
        sessions=sessions,
        admission=admission,
        answer_log=answer_log,
        report=reports.report,
    )
    answering = Answering(
        engine=engine,
        sessions=sessions,
        page_models=page_models,
        admission=admission,
        answer_log=answer_log,
        under_way=under_way,
        report=reports.report,
        meters=meters,
        with_memory=memories.choose if memories else without_memory,
        with_proposals=further.add,
    )
    health = Health(engine, queue, model_status, draining.is_set)
    budget = pixel_budget(settings.max_image_pixels)
    label_studio = LabelStudio(
        settings,
        engine=engine,
        answering=answering,
        further=further,
        prelabelled=partial(prelabelled, descriptions, settings.is_prelabelled),
        admission=admission,
        answer_log=answer_log,
        queue=queue,
        report=reports.report,
        observe=meters.observe,
        health=health,
        budget=budget,
    )
    cvat = None
    if cvat_queue is not None:
        cvat = Cvat(
            settings,
            engine=engine,
            answering=answering,
            further=further,
            admission=admission,
            answer_log=answer_log,
            queue=cvat_queue,
            observe=meters.observe,
            budget=budget,
        )
    return Backend(
        settings=settings,
        engine=engine,
        cache=cache,
        shared_pages=shared_pages,
        sessions=sessions,
        page_models=page_models,
        queue=queue,
        answer_log=answer_log,
        admission=admission,
        journal=journal,
        meters=meters,
        under_way=under_way,
        reports=reports,
        watcher=watcher,
        memories=memories,
        model_status=model_status,
        answering=answering,
        health=health,
        label_studio=label_studio,
        cvat=cvat,
        draining=draining,
    )
