"""One retraining from beginning to end. Killed at any moment, the next attempt continues it."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dynamite.registry import Description, StaleError
from training.annotation_store import HOLDOUT
from training.data.catalog import open_dataset
from training.data.sample import InstanceDataset
from training.evaluation.model_segmenter import load_segmenter
from training.retraining.attempt import Attempt, begin
from training.retraining.base_set import open_base_set
from training.retraining.gate import Verdict, judge
from training.retraining.judging import Comparison, compare
from training.retraining.launching import gpu_count
from training.retraining.reporting import PASSED, opinion, write_report
from training.retraining.request import RetrainingRequest
from training.retraining.train_candidate import train_candidate
from training.retraining.waiting import patiently

log = logging.getLogger(__name__)

PhaseReport = Callable[[str, int, int, float | None], None]
"""Called with the phase, how much of how much is done, and the seconds left if known."""


def retrain(
    request: RetrainingRequest, name: str, report: PhaseReport = lambda *_: None
) -> dict[str, Any]:
    """Train, judge, and publish if the result is better.

    Args:
        request: what to train on and how.
        name: name of this attempt in the registry. Once a later one begins, this one can publish
            nothing.
        report: called with the progress.

    Returns:
        ``version``, ``published``, ``verdict`` and the figures by which it was judged, as JSON.

    Raises:
        DynamiteError: the data, the weights or the registry cannot be used.
    """
    attempt = begin(request, name)
    made = attempt.version_made_before()
    if made is not None and attempt.was_published(made):
        known = made.description
        verdict = f"published: {known.verdict.removeprefix(PASSED)}"
        outcome = _outcome(made.name, verdict, known.metrics, published=True)
    else:
        candidate = attempt.weights_of(made.name) if made else train(attempt, report)
        outcome = judge_and_publish(attempt, candidate, report)
    attempt.end()
    return outcome


def train(attempt: Attempt, report: PhaseReport) -> Path:
    """Train from the attempt's start weights, or from the last checkpoint; return the weights."""
    request = attempt.request
    held_out, least = request.images.get(HOLDOUT, 0), request.options.judge_least
    if held_out < least:
        log.warning(
            "only %d images are held out, %d are needed to publish what is trained now",
            held_out,
            least,
        )
    start = attempt.start_weights()

    def report_step(step: int, left: float | None) -> None:
        report("training", step, request.options.train_steps, left)

    return patiently(lambda: train_candidate(request, start, report_step))


def judge_and_publish(attempt: Attempt, candidate: Path, report: PhaseReport) -> dict[str, Any]:
    """Judge a candidate against what is current, add it as a version, and publish it if better."""
    request = attempt.request
    current = attempt.weights_of(attempt.token.version)
    comparisons = compare_models(request, current, candidate, report)
    verdict = decide(request, comparisons)
    folder = request.run / "report"
    origin = {"reason": request.reason, "data": request.digest, "parent": attempt.parent}
    write_report(folder, verdict, comparisons, origin)
    metrics = {"sets": [comparison.summary() for comparison in comparisons]}
    description = describe(attempt, metrics, verdict)
    version = attempt.add_version(candidate, description, folder)
    published, words = False, f"not published: {verdict.reason}"
    if verdict.published:
        try:
            attempt.publish(version, verdict.reason)
            published, words = True, f"published: {verdict.reason}"
        except StaleError as error:
            words = f"not published: {error}"
    return _outcome(version.name, words, metrics, published=published)


def compare_models(
    request: RetrainingRequest, current: Path, candidate: Path, report: PhaseReport
) -> list[Comparison]:
    """Evaluate two models on the held-out images, which come first, and on the base set."""
    device = "cuda" if gpu_count() else "cpu"
    models = load_segmenter(current, device=device), load_segmenter(candidate, device=device)
    options = request.options
    sets: list[tuple[str, InstanceDataset]] = []
    if request.images.get(HOLDOUT):
        sets.append(("held out", open_dataset(request.snapshot / HOLDOUT, on_problem="skip")))
    base = open_base_set(options.judge_base_set, options.train_base_root)
    if base is not None and sets:
        sets.append(("base", base))
    found = [
        compare(
            models,
            dataset,
            budget=options.judge_budget,
            most=options.judge_most,
            least=options.judge_least,
            seconds=60 * options.judge_minutes / len(sets),
            name=name,
            report=lambda done, total, name=name: report(  # type: ignore[misc]
                f"judging, {name}", done, total, None
            ),
        )
        for name, dataset in sets
    ]
    return found or [Comparison("held out", ())]


def decide(request: RetrainingRequest, comparisons: list[Comparison]) -> Verdict:
    """Decide whether the candidate is published."""
    # Of few objects an image, NCI tells more: less than half as much of it is chance.
    base = next((found.nci for found in comparisons if found.name == "base"), None)
    return judge(comparisons[0].clicks, base, request.options, np.random.default_rng(0))


def describe(attempt: Attempt, metrics: Mapping[str, Any], verdict: Verdict) -> Description:
    """Describe the new version for the registry."""
    request = attempt.request
    note = {
        "reason": request.reason,
        "images": request.images,
        "steps": request.options.train_steps,
        "job": request.job,
    }
    return Description(attempt.parent, request.digest, dict(metrics), opinion(verdict), note)


def _outcome(
    version: str, verdict: str, metrics: Mapping[str, Any], *, published: bool
) -> dict[str, Any]:
    return {"version": version, "published": published, "verdict": verdict, **metrics}
