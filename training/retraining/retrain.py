"""One retraining from beginning to end; killed at any moment, it goes on where it was."""

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dynamite.checkpoints.loading import shipped
from dynamite.files import replacing
from dynamite.registry import (
    Current,
    Description,
    MissingError,
    Registry,
    RegistryError,
    StaleError,
    Version,
)
from training.annotation_store import HOLDOUT
from training.data.catalog import open_dataset
from training.data.sample import InstanceDataset
from training.evaluation.model_segmenter import load_segmenter
from training.retraining.base_set import open_base_set
from training.retraining.gate import Verdict, judge
from training.retraining.job_spec import Order
from training.retraining.judging import Comparison, compare
from training.retraining.launching import gpu_count
from training.retraining.reporting import PASSED, opinion, write_report
from training.retraining.run_folder import AwayError, release, take
from training.retraining.train_candidate import train_candidate

log = logging.getLogger(__name__)

T = TypeVar("T")

WAIT_SECONDS, PATIENCE_SECONDS = 10.0, 3600.0

Tell = Callable[[str, int, int, float | None], None]
"""Told of the phase, what is done of how much, and the seconds left if they are known."""


def retrain(order: Order, attempt: str, tell: Tell = lambda *_: None) -> dict[str, Any]:
    """Train, judge, and publish if it is better; what came of it, as JSON.

    ``attempt`` names this try in the registry: as soon as a later one begins, this one can publish
    nothing any more.

    Raises:
        DynamiteError: the data, the weights or the registry cannot be used.
    """
    registry = Registry(order.models)
    token = patiently(lambda: registry.begin(attempt, allow_empty=not order.begun))
    parent = patiently(lambda: take(order, token))
    made = patiently(lambda: made_before(registry, order))
    if made is not None and patiently(lambda: registry.was_current(made.name)):
        known = made.description
        said = _published(known.verdict.removeprefix(PASSED))
        outcome = _outcome(made.name, said, known.metrics, published=True)
    else:
        outcome = _make(order, registry, token, parent, made, tell)
    try:
        registry.prune(order.keep_versions)
    except RegistryError as error:
        log.warning("old versions stay for now: %s", error)
    release(order, token)
    return outcome


def made_before(registry: Registry, order: Order) -> Version | None:
    """The version of an earlier attempt that was killed before it could say so.

    An order by hand has no job: what another such made of the same data is not its own.
    """
    if not order.job:
        return None
    for version in reversed(registry.versions()):
        known = version.description
        if known.data == order.digest and known.note.get("job") == order.job:
            return version
    return None


def _make(
    order: Order,
    registry: Registry,
    token: Current,
    parent: str | None,
    made: Version | None,
    tell: Tell,
) -> dict[str, Any]:
    """Train, unless that is done, judge against what is current now, and publish."""
    weights = (
        weights_of(order, registry, made.name) if made else _train(order, registry, parent, tell)
    )
    current = weights_of(order, registry, token.version)
    comparisons = _compare(order, current, weights, tell)
    # Of few objects an image, NCI tells more: less than half as much of it is chance.
    base = next((c.nci for c in comparisons if c.name == "base"), None)
    verdict = judge(comparisons[0].clicks, base, order.gate, np.random.default_rng(0))
    report = order.run / "report"
    facts: dict[str, object] = {"reason": order.reason, "data": order.digest, "parent": parent}
    write_report(report, verdict, comparisons, facts)
    note = {"reason": order.reason, "images": order.images, "steps": order.steps, "job": order.job}
    metrics = {"sets": [c.summary() for c in comparisons]}
    description = Description(parent, order.digest, metrics, opinion(verdict), note)
    version = patiently(lambda: registry.add(weights, description, report, token))
    published, said = _publish(registry, version.name, verdict, token)
    return _outcome(version.name, said, metrics, published=published)


def _outcome(
    version: str, verdict: str, metrics: Mapping[str, Any], *, published: bool
) -> dict[str, Any]:
    return {"version": version, "published": published, "verdict": verdict, **metrics}


def _train(order: Order, registry: Registry, parent: str | None, tell: Tell) -> Path:
    held_out = order.images.get(HOLDOUT, 0)
    if held_out < order.gate.least:
        log.warning(
            "only %d images are held out, %d are needed to publish what is trained now",
            held_out,
            order.gate.least,
        )
    start = weights_of(order, registry, parent)
    if parent is None:
        start = _kept(start, order.run / "start.safetensors")

    def report(step: int, left: float | None) -> None:
        tell("training", step, order.steps, left)

    return patiently(lambda: train_candidate(order, start, report))


def patiently(action: Callable[[], T]) -> T:
    """Do something in the shared folders; while they are away, wait for them up to an hour.

    The hour begins when they go, and anew after an attempt that went on for longer.
    """
    since = None
    while True:
        begun = time.monotonic()
        try:
            return action()
        except (StaleError, MissingError):
            raise
        except (RegistryError, AwayError) as error:
            now = time.monotonic()
            if since is None or now - begun > PATIENCE_SECONDS:
                since = now
            if now - since > PATIENCE_SECONDS:
                raise
            log.warning("%s; trying again in %.0f s", error, WAIT_SECONDS)
            time.sleep(WAIT_SECONDS)


def weights_of(order: Order, registry: Registry, version: str | None) -> Path:
    """A version's weights, copied to the run: the share may go; of None what is served without."""
    if version is None:
        return order.checkpoint or shipped(order.preset)
    copy = order.run / f"{version}.safetensors"
    if not copy.is_file():
        patiently(lambda: registry.get(version).copy_weights(copy))
    return copy


def _kept(weights: Path, copy: Path) -> Path:
    """A copy in the run: an upgrade meanwhile may ship other weights, of another network."""
    if not copy.is_file():
        with replacing(copy) as draft:
            shutil.copyfile(weights, draft)
    return copy


def _compare(order: Order, current: Path, candidate: Path, tell: Tell) -> list[Comparison]:
    device = "cuda" if gpu_count() else "cpu"
    models = load_segmenter(current, device=device), load_segmenter(candidate, device=device)
    sets: list[tuple[str, InstanceDataset]] = []
    if order.images.get(HOLDOUT):
        sets.append(("held out", open_dataset(order.snapshot / HOLDOUT, on_problem="skip")))
    base = open_base_set(order.judge_base_set, order.base_root)
    if base is not None and sets:
        sets.append(("base", base))
    gate = order.gate
    found = [
        compare(
            models,
            dataset,
            budget=gate.budget,
            most=gate.most,
            least=gate.least,
            seconds=60 * gate.minutes / len(sets),
            name=name,
            report=lambda done, total, name=name: tell(  # type: ignore[misc]
                f"judging, {name}", done, total, None
            ),
        )
        for name, dataset in sets
    ]
    return found or [Comparison("held out", ())]


def _publish(registry: Registry, name: str, verdict: Verdict, token: Current) -> tuple[bool, str]:
    if not verdict.published:
        return False, f"not published: {verdict.reason}"
    try:
        patiently(
            lambda: registry.promote(name, holder=token.holder, reason=verdict.reason, token=token)
        )
    except StaleError as error:
        return False, f"not published: {error}"
    return True, _published(verdict.reason)


def _published(reason: str) -> str:
    return f"published: {reason}"
