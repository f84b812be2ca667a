"""Durations and outcomes measured as they happen, for /metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Counter, Histogram
from prometheus_client.registry import Collector

from backend.serving.stages import Stage

CLICK_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
STAGE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

MEMORY = {True: "with", False: "without"}
"""Whether a project's memory took part, as a label."""


class Outcome(StrEnum):
    """What came of a click."""

    ANSWERED = "answered"
    REPEATED = "repeated"
    """It failed, and the masks shown before were answered again."""
    OVERTAKEN = "overtaken"
    """A newer click of the same person came before it was answered."""
    FAILED = "failed"
    """It was answered with an error."""


@dataclass
class Noted:
    """What is known of a click at its end.

    Attributes:
        outcome: what came of it, unless it failed.
        has_memory: whether a project's memory took part.
    """

    outcome: Outcome = Outcome.ANSWERED
    has_memory: bool = False


class Meters:
    """What one application measures; not in the process-wide registry. Thread-safe."""

    def __init__(self) -> None:
        self._clicks = Histogram(
            "dynamite_click_seconds",
            "From a parsed click to its masks, including the image's features.",
            buckets=CLICK_BUCKETS,
            registry=None,
        )
        self._outcomes = Counter(
            "dynamite_clicks",
            "Clicks by what came of them, with a project's memory or without.",
            ("outcome", "memory"),
            registry=None,
        )
        self._stages = Histogram(
            "dynamite_stage_seconds",
            "The stages of clicks, batches and images prepared ahead.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=None,
        )
        for outcome in Outcome:  # a counter that appears with its first click has no increase
            for memory in MEMORY.values():
                self._outcomes.labels(outcome, memory)
        for stage in Stage:
            self._stages.labels(stage)

    def collectors(self) -> tuple[Collector, ...]:
        """Return what a registry collects."""
        return self._clicks, self._outcomes, self._stages

    def observe(self, stage: Stage, seconds: float) -> None:
        """Note how long one pass of a stage took."""
        self._stages.labels(stage).observe(seconds)

    @contextmanager
    def click(self) -> Iterator[Noted]:
        """Time and count a click during the block; yield where its outcome is to be noted."""
        noted, started = Noted(), time.perf_counter()
        try:
            yield noted
        except BaseException:
            noted.outcome = Outcome.FAILED
            raise
        finally:
            self._clicks.observe(time.perf_counter() - started)
            self._outcomes.labels(noted.outcome, MEMORY[noted.has_memory]).inc()
