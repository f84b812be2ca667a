"""The folder of one training: what it started from, and which attempt at it goes on there."""

import contextlib
import json
from pathlib import Path
from typing import Any

from dynamite.errors import DynamiteError
from dynamite.files import discard, replacing
from dynamite.registry import Current
from training.retraining.job_spec import Order, OrderError

KEPT = "parent.json"


class AwayError(DynamiteError):
    """The folder of snapshots and runs is not there at the moment, or takes nothing."""


def take(order: Order, token: Current) -> str | None:
    """Make the folder or take it over; the version that the first attempt started from.

    Raises:
        AwayError: the share that it is on is not mounted, so that it must not be made, or fails.
        OrderError: the snapshot is gone for good.
    """
    try:
        return _take(order, token)
    except OSError as error:
        raise AwayError(f"the folder of runs {order.run.parent} fails: {error}") from error


def _take(order: Order, token: Current) -> str | None:
    if not order.snapshot.parent.is_dir():
        raise AwayError(f"{order.snapshot.parent} is not there: is the share mounted?")
    if not order.snapshot.is_dir():
        raise OrderError(f"the snapshot {order.snapshot} is gone: ask for another training")
    order.run.mkdir(parents=True, exist_ok=True)
    parent: str | None = _kept(order.run).get("version", token.version)
    with replacing(order.run / KEPT) as draft:
        draft.write_text(json.dumps({"version": parent, "token": token.number}), encoding="utf-8")
    return parent


def release(order: Order, token: Current) -> None:
    """Remove the folder, unless a later attempt has taken it over."""
    with contextlib.suppress(OSError):  # cleaning comes by again
        if _kept(order.run).get("token") == token.number:
            discard(order.run)


def _kept(run: Path) -> dict[str, Any]:
    try:
        values = json.loads((run / KEPT).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
