"""The id of the request at work in this thread, from the load balancer to the worker's job.

The web application begins it, log records carry it, and what is put into the queue takes it along.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar

ID = re.compile(r"[0-9A-Za-z-]{8,64}")
"""What counts as an id, such as that of a proxy."""

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the id; empty where nothing was asked for by a request."""
    return _current.get()


def follow(request_id: object) -> None:
    """Work for the request with this id from now on; for none if it is no id."""
    is_id = isinstance(request_id, str) and ID.fullmatch(request_id)
    _current.set(str(request_id) if is_id else "")


def follow_in(values: object) -> None:
    """Work for the request whose id an event or a job's meta took along, whoever wrote it."""
    follow(values.get("request_id") if isinstance(values, Mapping) else None)


def taken_along() -> dict[str, str]:
    """Return what a job's meta or an event needs so that its work can be followed."""
    return {"request_id": current()} if current() else {}
