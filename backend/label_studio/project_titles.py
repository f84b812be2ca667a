"""The titles of projects, for people: Label Studio sends numbers alone when it connects."""

import threading
import time

from backend.label_studio.access import Access
from backend.label_studio.api import ApiError, LabelStudioApi
from dynamite.errors import DynamiteError

AGAIN = 600.0
"""Seconds after which a title is asked for again: it may have been changed."""

KEPT = 200
"""Titles remembered; the ones asked for first go first."""

LENGTH = 80
"""Most characters of a title."""


class ProjectTitles:
    """Asks Label Studio for titles in threads of their own, and remembers them."""

    def __init__(self, seconds: float = 5.0) -> None:
        """``seconds``: how long Label Studio may take."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._titles: dict[int, str] = {}
        self._asked: dict[int, float] = {}

    def title(self, project: int) -> str | None:
        """Return the title of a project; None while it is not known."""
        with self._lock:
            return self._titles.get(project)

    def look_up(self, access: Access, project: int) -> None:
        """Ask for a title in the background, unless that was done a short time ago."""
        if access.url is None or access.token is None:
            return
        now = time.monotonic()
        with self._lock:
            if now - self._asked.get(project, float("-inf")) < AGAIN:
                return
            self._asked[project] = now
            while len(self._asked) > KEPT:
                oldest = next(iter(self._asked))
                del self._asked[oldest]
                self._titles.pop(oldest, None)
        arguments = (access.url, access.token, project)
        threading.Thread(target=self._ask, args=arguments, name="title", daemon=True).start()

    def _ask(self, url: str, token: str, project: int) -> None:
        try:
            with LabelStudioApi(url, token, seconds=self._seconds) as api:
                found = api.get(f"/api/projects/{project}")
                title = found["title"]
                if not isinstance(title, str):
                    raise ApiError("the title is no text")
        except (DynamiteError, KeyError, TypeError):  # the trial of the token says what is wrong
            with self._lock:
                self._asked.pop(project, None)
            return
        with self._lock:
            self._titles[project] = title[:LENGTH]
