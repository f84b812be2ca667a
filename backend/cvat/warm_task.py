"""``dynamite warm --cvat-task``: has a running backend encode every frame of a task."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from rich.progress import Progress

from backend.cvat.api import CvatApi, CvatError
from backend.cvat.backend_client import BackendClient, BackendError
from backend.settings import Settings

AT_A_TIME = 2
"""Frames on the way: while one is encoded the next one is fetched."""


def warm_task(
    settings: Settings, url: str, token: str, task: int, backend_url: str, progress: Progress
) -> tuple[int, int]:
    """Warm all frames of a task and return how many are warm and how many failed.

    ``url`` and ``token`` are CVAT's; ``progress`` is the bar to move.

    Raises:
        CvatError: CVAT has no such task, or does not answer.
    """
    with (
        CvatApi(url, token) as api,
        BackendClient(backend_url, settings) as backend,
        ThreadPoolExecutor(AT_A_TIME) as pool,
        progress,
    ):
        project = api.get(f"/api/tasks/{task}").get("project_id")
        frames = list(frames_of(api, task))
        bar = progress.add_task("warming", total=len(frames))

        def warm(frame: int) -> str:
            try:
                backend.warm(api.task_frame(task, frame), project)
            except (CvatError, BackendError) as error:
                return f"frame {frame}: {error}"
            return ""

        failed = 0
        for problem in pool.map(warm, frames):
            if problem:
                failed += 1
                progress.console.print(problem, markup=False, highlight=False)
            progress.advance(bar)
    return len(frames) - failed, failed


def frames_of(api: CvatApi, task: int) -> Iterator[int]:
    """Yield the numbers of a task's frames that are not deleted."""
    meta = api.get(f"/api/tasks/{task}/data/meta")
    gone = set(meta.get("deleted_frames") or ())
    yield from (number for number in range(int(meta["size"])) if number not in gone)
