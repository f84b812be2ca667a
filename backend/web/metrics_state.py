"""Metrics that are looked up when somebody asks: model, cache, queues, errors."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from backend.jobs.job_queue import JobQueue
from backend.memory.project_models import ProjectModels
from backend.memory.report import by_state
from backend.serving.device_memory import memory_of
from backend.serving.engine import Engine
from backend.serving.error_journal import ErrorJournal
from backend.web.model_status import ModelStatus

if TYPE_CHECKING:
    from backend.features.cache import FeatureCache
    from dynamite.predict.features import ImageFeatures


class MetricsState(Collector):
    """The state of one serving process and of the queues it feeds."""

    def __init__(
        self,
        engine: Engine,
        cache: "FeatureCache[ImageFeatures]",
        queue: JobQueue,
        model_status: ModelStatus,
        journal: ErrorJournal,
        memories: ProjectModels | None = None,
        device_memory: Callable[[str], Mapping[str, int]] = memory_of,
    ) -> None:
        self._memories = memories
        self._device_memory = device_memory
        self._engine = engine
        self._features = cache
        self._queue = queue
        self._model_status = model_status
        self._journal = journal

    def collect(self) -> Iterator[Metric]:
        """Every metric as it is now."""
        yield from self._model()
        yield from self._cache()
        yield from self._queues()
        yield from self._backlog()
        yield from self._trainings()
        yield from self._project_memories()
        errors = CounterMetricFamily(
            "dynamite_errors", "Errors by the code they are answered with.", labels=["code"]
        )
        for code, count in self._journal.counts.items():
            errors.add_metric([code], count)
        yield errors

    def _model(self) -> Iterable[Metric]:
        engine = self._engine
        named = {"version": engine.model.version, "device": engine.model.device}
        yield InfoMetricFamily("dynamite_model", "The weights that answer.", named)
        yield GaugeMetricFamily(
            "dynamite_model_alarm",
            "1 while the version that should answer cannot be used; the status page says why.",
            int(self._model_status.problem is not None),
        )
        yield GaugeMetricFamily(
            "dynamite_device_waiting", "Clicks and images waiting for the device.", engine.waiting
        )
        yield GaugeMetricFamily(
            "dynamite_device_oldest_seconds",
            "How long the oldest of them has waited.",
            engine.oldest_seconds,
        )
        memory = GaugeMetricFamily(
            "dynamite_device_memory_bytes", "Memory of the GPU.", labels=["state"]
        )
        for state, used in self._device_memory(engine.model.device).items():
            memory.add_metric([state], used)
        yield memory

    def _cache(self) -> Iterable[Metric]:
        cache = self._features
        hits = CounterMetricFamily(
            "dynamite_cache_hits", "Features found, by tier.", labels=["tier"]
        )
        used = GaugeMetricFamily("dynamite_cache_bytes", "Features kept, by tier.", labels=["tier"])
        budget = GaugeMetricFamily(
            "dynamite_cache_budget_bytes", "Most that a tier keeps.", labels=["tier"]
        )
        spills = CounterMetricFamily(
            "dynamite_cache_spills",
            "Features that made room for newer ones; from the device they move to memory.",
            labels=["tier"],
        )
        off = GaugeMetricFamily(
            "dynamite_cache_off", "1 after a tier could not be written.", labels=["tier"]
        )
        for tier in cache.tiers():
            hits.add_metric([tier.name], tier.hits)
            used.add_metric([tier.name], tier.used)
            budget.add_metric([tier.name], tier.budget)
            spills.add_metric([tier.name], tier.evicted)
            off.add_metric([tier.name], int(tier.is_off))
        yield from (hits, used, budget, spills, off)
        yield CounterMetricFamily(
            "dynamite_cache_misses", "Features that had to be computed.", cache.misses
        )

    def _queues(self) -> Iterable[Metric]:
        queue = self._queue
        depths = queue.depths()
        yield GaugeMetricFamily(
            "dynamite_queue_up", "1 while the queue server answers.", int(depths is not None)
        )
        yield GaugeMetricFamily(
            "dynamite_spooled_events", "Events on disk until the queue is back.", queue.on_disk
        )
        jobs = GaugeMetricFamily(
            "dynamite_jobs", "Jobs by queue and state.", labels=["queue", "state"]
        )
        for name, states in (depths or {}).items():
            for state, count in states.items():
                jobs.add_metric([name, state], count)
        yield jobs
        ages = GaugeMetricFamily(
            "dynamite_queue_age_seconds", "How long the next job has waited.", labels=["queue"]
        )
        for name, seconds in (queue.ages() or {}).items():
            ages.add_metric([name], seconds)
        yield ages
        workers = GaugeMetricFamily("dynamite_workers", "Workers that live.", labels=["queue"])
        for name, count in (queue.workers() or {}).items():
            workers.add_metric([name], count)
        yield workers

    def _backlog(self) -> Iterable[Metric]:
        backlog = self._model_status.backlog()
        if backlog is None:
            return
        kept = GaugeMetricFamily(
            "dynamite_annotations",
            "Accepted, but not in use: events that wait, what was set aside.",
            labels=["state"],
        )
        kept.add_metric(["waiting"], backlog.waiting)
        kept.add_metric(["set_aside"], backlog.set_aside)
        yield kept

    def _trainings(self) -> Iterable[Metric]:
        ended = CounterMetricFamily(
            "dynamite_trainings", "Trainings that have ended, by their verdict.", labels=["verdict"]
        )
        for verdict, count in self._model_status.verdicts().items():
            ended.add_metric([verdict], count)
        yield ended

    def _project_memories(self) -> Iterable[Metric]:
        if self._memories is None:
            return
        found = GaugeMetricFamily(
            "dynamite_memories",
            "Project memories that are on, that are off, and that are loaded here.",
            labels=["state"],
        )
        for state, number in by_state(self._memories.records(), self._memories.loaded).items():
            found.add_metric([state], number)
        yield found
