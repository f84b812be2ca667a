"""A client for the parts of CVAT's API that the web process, the workers and the commands need."""

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import requests

from backend.errors import ImageError, ServingError
from backend.fetch.session import Session, reason
from dynamite.json_text import read_json

SECONDS = 60.0
"""Timeout of one call: a job can hold megabytes of masks."""

PAGE = 100
"""Entries of a list fetched at a time."""

MOST_PAGES = 10_000
"""Most pages of a list: a server that always names a next one must end, too."""

LENGTH = 300
"""Most characters shown of an error's details."""

NOT_FOUND = 404

_KEY = re.compile(r"[0-9a-f]{40}")
"""The form of the API's own tokens; personal access tokens have another one."""


class CvatError(ServingError):
    """CVAT does not answer, refuses, or answers with something else.

    ``status`` is the HTTP status of its answer; 502 without an answer.
    """

    code = "cvat_failed"

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status


class NotThereError(CvatError):
    """CVAT itself says 404; a proxy's 404 while it is away is a ``CvatError``."""


class CvatApi:
    """A few calls with a token of either kind. A context manager; closes its connections."""

    def __init__(self, url: str, token: str, *, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self._seconds = seconds
        self._session = Session()
        kind = "Token" if _KEY.fullmatch(token) else "Bearer"
        self._headers = {"Authorization": f"{kind} {token}"}

    def __enter__(self) -> "CvatApi":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, path: str, **query: Any) -> Any:
        """Send a GET; return the answer's JSON.

        Raises:
            CvatError: it fails; the other calls raise it likewise.
        """
        return _json(self._call("GET", path, params=query), path)

    def post(self, path: str, body: Any) -> Any:
        """Send a POST; return the answer's JSON."""
        return _json(self._call("POST", path, json=body), path)

    def patch(self, path: str, body: Any, **query: Any) -> Any:
        """Send a PATCH; return the answer's JSON."""
        return _json(self._call("PATCH", path, params=query, json=body), path)

    def listed(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All entries of a list, page by page."""
        for page in range(1, MOST_PAGES + 1):
            answer = self.get(path, page=page, page_size=PAGE, **query)
            if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
                raise CvatError(f"{path} does not answer with a list: is it the address of CVAT?")
            yield from answer["results"]
            if not answer.get("next"):
                return
        raise CvatError(f"{path} has more than {MOST_PAGES} pages")

    def frame(self, job: int, number: int) -> bytes:
        """Return the file of a frame of a job, the very bytes that a click brings along."""
        return self._frame(f"/api/jobs/{job}/data", number)

    def task_frame(self, task: int, number: int) -> bytes:
        """Return the file of a frame of a task, the very bytes that a click brings along."""
        return self._frame(f"/api/tasks/{task}/data/", number)

    def _frame(self, path: str, number: int) -> bytes:
        query = {"type": "frame", "number": number, "quality": "original"}
        response = self._call("GET", path, params=query)
        if response.headers.get("Content-Type", "").startswith(("text/", "application/json")):
            raise CvatError(f"{self.url}{path} does not answer with frame {number}")
        return response.content

    def _call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        try:
            response = self._session.request(
                method,
                self.url + path,
                headers=self._headers,
                timeout=self._seconds,
                allow_redirects=False,
                **arguments,
            )
        except requests.RequestException as error:
            raise CvatError(
                f"CVAT at {self.url} cannot be reached ({reason(error, self.url, self._seconds)}): "
                "DYNAMITE_CVAT_URL must be an address that works from this machine"
            ) from None
        except ImageError as error:  # of the certificates or the proxy that are configured
            raise CvatError(str(error)) from None
        if response.is_redirect:
            raise CvatError(
                f"{self.url} redirects to {response.headers['Location'][:100]}: give the address "
                "that the browser shows"
            )
        if not response.ok:
            kind = NotThereError if _says_not_there(response) else CvatError
            words = f"CVAT answers {response.status_code} to {method} {path}: {_detail(response)}"
            raise kind(words, response.status_code)
        return response


def _json(response: requests.Response, path: str) -> Any:
    try:
        return read_json(response.content) if response.content else None
    except ValueError:
        raise CvatError(f"{path} does not answer with JSON: is it the address of CVAT?") from None


def _says_not_there(response: requests.Response) -> bool:
    """Whether it is CVAT's own 404, which is JSON with a detail."""
    if response.status_code != NOT_FOUND:
        return False
    try:
        body = read_json(response.content)
    except ValueError:
        return False
    return isinstance(body, dict) and "detail" in body


def _detail(response: requests.Response) -> str:
    """What CVAT says is wrong, on one line."""
    try:
        body = read_json(response.content)
    except ValueError:
        return "(no JSON)"
    words = body.get("detail", body) if isinstance(body, dict) else body
    text = words if isinstance(words, str) else json.dumps(words)
    return textwrap.shorten(text, LENGTH, placeholder=" …")
