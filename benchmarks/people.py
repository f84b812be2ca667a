"""Replayed annotators: people who open photos, click, look at the answer and click again."""

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import requests

from benchmarks.server import add_photo, click_body

CLICKS = 6
"""Clicks of a person on one photo."""

TASKS = 50
"""Tasks of a person, who comes back to each: what a backend keeps of a page is kept once."""


class Tool(Protocol):
    """What a person clicks in."""

    path: str

    def body(self, rng: np.random.Generator, person: int, task: int, click: int) -> dict[str, Any]:
        """Return the call for a click, the first of a task being 0."""

    def is_good(self, answer: Any) -> bool:
        """Return whether the answer's JSON holds masks."""


class LabelStudio:
    """Label Studio's page: each call holds all clicks of the task so far."""

    path = "/predict"

    def __init__(self, folder: Path, photos: int) -> None:
        self._addresses = [add_photo(folder, number) for number in range(photos)]

    def body(self, rng: np.random.Generator, person: int, task: int, click: int) -> dict[str, Any]:
        """Return what the page sends."""
        number = (person * TASKS + task) % len(self._addresses)
        first = int(rng.integers(10**9))
        body = click_body(self._addresses[number], person * TASKS + task + 1, first)
        context = body["params"]["context"]["result"]
        for other in range(1, click + 1):
            more = click_body(self._addresses[number], 0, first + other)
            context += more["params"]["context"]["result"]
        return body

    def is_good(self, answer: Any) -> bool:
        """Return whether there are regions."""
        return bool(answer["results"][0]["result"])


class Cvat:
    """CVAT's page: each call brings the frame and all clicks along."""

    path = "/api/function_invocations"

    def __init__(self, folder: Path, photos: int) -> None:
        for number in range(photos):
            add_photo(folder, number)
        files = [(folder / f"{number}.jpg").read_bytes() for number in range(photos)]
        self._frames = [base64.b64encode(file).decode() for file in files]

    def body(self, rng: np.random.Generator, person: int, task: int, click: int) -> dict[str, Any]:
        """Return what CVAT's server sends."""
        frame = self._frames[(person * TASKS + task) % len(self._frames)]
        points = (rng.random((click + 1, 2)) * (639, 479)).tolist()
        return {"image": frame, "pos_points": points, "neg_points": [], "obj_bbox": []}

    def is_good(self, answer: Any) -> bool:
        """Return whether there is an answer in some form of CVAT's."""
        return bool({"shapes", "mask"} & answer.keys())


@dataclass
class Waits:
    """What people have seen: seconds of each good answer, and what was wrong with the others."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """Return the milliseconds that a share of the good answers took at most, or NaN."""
        return float(np.quantile(self.seconds, share)) * 1000 if self.seconds else float("nan")


def replay(
    url: str,
    tool: Tool,
    people: int,
    *,
    every: float,
    is_over: Callable[[Waits], bool],
    seen: Callable[[Waits], object] = lambda _: None,
) -> Waits:
    """Let people click until it is over; return how long they waited.

    Args:
        url: where clicks go.
        tool: what they click in.
        people: how many there are.
        every: seconds from one click of a person to the next, or until it is answered, if that
            takes longer.
        is_over: whether to end, asked before each click.
        seen: told after each click, by one person at a time.
    """
    waits, lock = Waits(), threading.Lock()

    def click(http: requests.Session, body: dict[str, Any]) -> None:
        started = time.perf_counter()
        error = ""
        try:
            answer = http.post(f"{url}{tool.path}", json=body, timeout=120)
            if not answer.ok:
                error = f"{answer.status_code} {answer.reason}"
            elif not tool.is_good(answer.json()):
                error = "an answer without masks"
        except (requests.RequestException, ValueError, LookupError) as problem:
            error = type(problem).__name__
        taken = time.perf_counter() - started
        with lock:
            if error:
                waits.errors.append(error)
            else:
                waits.seconds.append(taken)
            seen(waits)

    def person(number: int) -> None:
        rng = np.random.default_rng(number)
        time.sleep(every * number / people)  # they do not click all at once
        with requests.Session() as http:
            number_of_click = 0
            while not is_over(waits):
                task, place = divmod(number_of_click, CLICKS)
                body = tool.body(rng, number, task % TASKS, place)
                due = time.perf_counter() + every
                click(http, body)
                time.sleep(max(0.0, due - time.perf_counter()))
                number_of_click += 1

    threads = [
        threading.Thread(target=person, args=(number,), daemon=True) for number in range(people)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits
