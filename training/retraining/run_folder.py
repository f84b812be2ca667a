"""The folder of one training: what it started from, and which attempt owns it."""

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

from dynamite.files import discard, replacing
from dynamite.json_text import read_json
from dynamite.registry import Current
from training.retraining.request import RequestError, RetrainingRequest
from training.retraining.waiting import AwayError

KEPT = "parent.json"


def take(request: RetrainingRequest, token: Current) -> str | None:
    """Create the folder or take it over; return the version that the first attempt started from.

    Raises:
        AwayError: its share is not mounted (the folder must not be created there), or fails.
        RequestError: the snapshot is gone for good.
    """
    try:
        return _take(request, token)
    except OSError as error:
        raise AwayError(f"the folder of runs {request.run.parent} fails: {error}") from error


def _take(request: RetrainingRequest, token: Current) -> str | None:
    snapshot, run = request.snapshot, request.run
    if not snapshot.parent.is_dir():
        raise AwayError(f"{snapshot.parent} is not there: is the share mounted?")
    if not snapshot.is_dir():
        raise RequestError(f"the snapshot {snapshot} is gone: ask for another training")
    run.mkdir(parents=True, exist_ok=True)
    parent: str | None = _kept(run).get("version", token.version)
    with replacing(run / KEPT) as draft:
        draft.write_text(json.dumps({"version": parent, "token": token.number}), encoding="utf-8")
    return parent


def release(request: RetrainingRequest, token: Current) -> None:
    """Remove the folder, unless a later attempt has taken it over."""
    with contextlib.suppress(OSError):  # the cleanup removes it later
        if _kept(request.run).get("token") == token.number:
            discard(request.run)


def keep_copy(weights: Path, copy: Path) -> Path:
    """Copy weights into the run once: an upgrade meanwhile may ship those of another network."""
    if not copy.is_file():
        with replacing(copy) as draft:
            shutil.copyfile(weights, draft)
    return copy


def _kept(run: Path) -> dict[str, Any]:
    try:
        values = read_json((run / KEPT).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
