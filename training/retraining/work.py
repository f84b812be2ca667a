"""One retraining from beginning to end; killed at any moment, it goes on where it was."""

import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dynamite.loading import shipped
from dynamite.registry import Current, Description, Registry, RegistryError, StaleError
from training.annotation_store import HOLDOUT
from training.data.catalog import open_dataset
from training.data.sample import InstanceDataset
from training.retraining.base_set import open_base_set
from training.retraining.gate import Verdict, judge
from training.retraining.judging import Comparison, compare, open_model
from training.retraining.launching import gpu_count, train
from training.retraining.order import Order
from training.retraining.recipe import recipe
from training.retraining.reporting import write_report

log = logging.getLogger(__name__)

T = TypeVar("T")

WAIT_SECONDS, WAITS = 10.0, 360

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
    token = patiently(lambda: registry.begin(attempt))
    parent = _parent(order, token)
    start = weights_of(order, registry, parent)
    weights = train(
        recipe(order, start),
        order.run,
        order.hosts,
        lambda step, left: tell("training", step, order.steps, left),
    )
    current = weights_of(order, registry, token.version)
    comparisons = _compare(order, current, weights, tell)
    base = next((c.clicks for c in comparisons if c.name == "base"), None)
    verdict = judge(comparisons[0].clicks, base, order.gate, np.random.default_rng(0))
    report = order.run / "report"
    facts: dict[str, object] = {"reason": order.reason, "data": order.digest, "parent": parent}
    write_report(report, verdict, comparisons, facts)
    note = {"reason": order.reason, "images": order.images, "steps": order.steps}
    metrics = {"sets": [c.summary() for c in comparisons]}
    said = ("published: " if verdict.published else "not published: ") + verdict.reason
    version = registry.add(weights, Description(parent, order.digest, metrics, said, note), report)
    published, said = _publish(registry, version.name, verdict, token, said)
    registry.prune(order.keep_versions)
    shutil.rmtree(order.run, ignore_errors=True)
    return {"version": version.name, "published": published, "verdict": said, **metrics}


def patiently(action: Callable[[], T]) -> T:
    """Do something with the registry; while its folder is away, wait for it up to an hour."""
    for _ in range(WAITS):
        try:
            return action()
        except StaleError:
            raise
        except RegistryError as error:
            log.warning("%s; trying again in %.0f s", error, WAIT_SECONDS)
            time.sleep(WAIT_SECONDS)
    return action()


def weights_of(order: Order, registry: Registry, version: str | None) -> Path:
    """The file of a version; of None what is served without one."""
    if version is not None:
        return registry.get(version).weights
    return order.checkpoint or shipped(order.preset)


def _parent(order: Order, token: Current) -> str | None:
    """The version this training started from: on a later attempt the one it started from then."""
    path = order.run / "parent.json"
    try:
        kept: str | None = json.loads(path.read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        order.run.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": token.version}), encoding="utf-8")
        return token.version
    return kept


def _compare(order: Order, current: Path, candidate: Path, tell: Tell) -> list[Comparison]:
    device = "cuda" if gpu_count() else "cpu"
    models = (open_model(current, device), open_model(candidate, device))
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


def _publish(
    registry: Registry, name: str, verdict: Verdict, token: Current, said: str
) -> tuple[bool, str]:
    if not verdict.published:
        return False, said
    try:
        patiently(
            lambda: registry.promote(name, holder=token.holder, reason=verdict.reason, token=token)
        )
    except StaleError as error:
        return False, f"not published: {error}"
    return True, said
