"""A client for the parts of Label Studio's API that the command line and the workers need."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import requests

from backend.errors import ImageError, ServingError
from backend.fetch.deadline import Deadline
from backend.fetch.hosts import moved_message
from backend.fetch.session import Session, reason
from backend.fetch.url import Url
from backend.label_studio.tokens import Tokens
from dynamite.json_text import read_json

SECONDS = 30.0
"""Timeout of one call."""

PAGE = 100
"""Tasks fetched at a time."""

LENGTH = 300
"""Most characters shown of an error's details."""

NOT_FOUND = 404


class ApiError(ServingError):
    """Label Studio does not answer, refuses, or answers with something else.

    ``status`` is the HTTP status of its answer; 502 without an answer.
    """

    code = "label_studio_failed"

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status


class NotThereError(ApiError):
    """Label Studio itself says 404; a proxy's 404 while it is away is an ``ApiError``."""


class LabelStudioApi:
    """A few calls with either kind of token. A context manager; closes its connections."""

    def __init__(self, url: str, token: str, *, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self._seconds = seconds
        self._tokens = Tokens(token, self._exchange)
        self._session = Session()

    def __enter__(self) -> "LabelStudioApi":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    @property
    def has_personal_token(self) -> bool:
        """Whether the token is a personal access token, exchanged for short-lived ones."""
        return self._tokens.renews

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET; return the answer's JSON."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: Any = None, **arguments: Any) -> Any:
        """Send a POST with a JSON body (or ``files=``); return the answer's JSON."""
        return self._call("POST", path, json=body, **arguments)

    def delete(self, path: str) -> Any:
        """Send a DELETE."""
        return self._call("DELETE", path)

    def tasks(self, project: int) -> Iterator[dict[str, Any]]:
        """All tasks of a project, page by page."""
        page, seen = 1, 0
        while True:
            answer = self.get("/api/tasks", project=project, page=page, page_size=PAGE)
            total, tasks = self._page(answer)
            yield from tasks
            seen += len(tasks)
            page += 1
            if seen >= total or not tasks:
                return

    def task_count(self, project: int) -> int:
        """How many tasks a project has."""
        return self._page(self.get("/api/tasks", project=project, page_size=1))[0]

    def _page(self, answer: Any) -> tuple[int, list[dict[str, Any]]]:
        """Return how many tasks there are in all, and those of a page."""
        total, tasks = (
            answer.get(key) if isinstance(answer, dict) else None for key in ("total", "tasks")
        )
        if isinstance(total, int) and isinstance(tasks, list) and all(map(_is_numbered, tasks)):
            return total, tasks
        raise ApiError(f"{self.url}/api/tasks does not answer with tasks: is it Label Studio?")

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        headers = self._headers()
        response = self._send(method, path, headers=headers, **arguments)
        if response.status_code == 401 and self._tokens.renews:
            headers = self._headers(rejected=headers)
            response = self._send(method, path, headers=headers, **arguments)
        if not response.ok:
            kind = NotThereError if says_not_there(response) else ApiError
            raise kind(
                f"Label Studio answers {response.status_code} to {method} {path}: "
                f"{detail(response)}",
                response.status_code,
            )
        try:
            return read_json(response.content) if response.content else None
        except ValueError:
            raise ApiError(f"{self.url}{path} does not answer with JSON") from None

    def _headers(self, rejected: dict[str, str] | None = None) -> dict[str, str]:
        try:
            return self._tokens.headers(Deadline(self._seconds), rejected=rejected)
        except ImageError as error:  # tokens are shared with the fetching of images
            raise ApiError(str(error)) from None

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            response = self._session.request(
                method, self.url + path, timeout=self._seconds, **arguments
            )
        except requests.RequestException as error:
            why = reason(error, self.url, SECONDS)
            raise ApiError(
                f"Label Studio at {self.url} cannot be reached ({why}): "
                "LABEL_STUDIO_URL must be an address that works from this machine"
            ) from None
        except ImageError as error:  # of the certificates or the proxy that are configured
            raise ApiError(str(error)) from None
        if words := redirected(self.url, response):
            raise ApiError(words)
        return response

    def _exchange(self, token: str, deadline: Deadline) -> tuple[int, Any]:  # noqa: ARG002
        body = {"refresh": token}  # for Label Studio alone
        response = self._send("POST", "/api/token/refresh", json=body, allow_redirects=False)
        try:
            return response.status_code, read_json(response.content)
        except ValueError:
            return response.status_code, None


def _is_numbered(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), int)


def redirected(url: str, response: requests.Response) -> str | None:
    """What to say if Label Studio at ``url`` redirects to another address of its own; else None."""
    reached = response.next.url if response.next else response.url
    try:
        return moved_message(Url.parse(url), Url.parse(reached or url))
    except ImageError:  # an unreadable address is no Label Studio
        return None


def says_not_there(response: requests.Response) -> bool:
    """Whether it is Label Studio's own 404: its errors hold the status and its version."""
    try:
        body = read_json(response.content)
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("status_code") == NOT_FOUND and "version" in body


def detail(response: requests.Response) -> str:
    """What Label Studio says is wrong, on one line."""
    try:
        body = read_json(response.content)
    except ValueError:
        return "(no JSON)"
    if not isinstance(body, dict):
        return in_short(json.dumps(body))
    words = body.get("validation_errors") or body.get("detail") or body
    return words if isinstance(words, str) else in_short(json.dumps(words))


def in_short(words: str) -> str:
    """The beginning, cut between words: a secret in an address must stay whole to be hidden."""
    return textwrap.shorten(words, LENGTH, placeholder=" …")
