"""``dynamite warm``: has a running backend encode every image of a project."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from rich.progress import Progress

from backend.errors import ServingError
from backend.fetch.session import Session
from backend.label_studio.api import LabelStudioApi
from backend.settings import Settings
from dynamite.json_text import read_json

AT_A_TIME = 2
"""Tasks on the way: while one is encoded the next one is fetched."""

SECONDS = 600.0


class WarmingError(ServingError):
    """The backend does not answer, or refuses to warm anything."""

    code = "warming_failed"


def warm_project(
    settings: Settings, url: str, token: str, project: int, backend_url: str, progress: Progress
) -> tuple[int, int]:
    """Warm all images of a project and return how many are warm and how many failed.

    ``url`` and ``token`` are Label Studio's; ``progress`` is the bar to move.
    """
    with (
        LabelStudioApi(url, token) as api,
        Session() as session,
        ThreadPoolExecutor(AT_A_TIME) as pool,
        progress,
    ):
        if settings.basic_auth_user and settings.basic_auth_password:
            password = settings.basic_auth_password.get_secret_value()
            session.auth = (settings.basic_auth_user, password)
        config = api.get(f"/api/projects/{project}")["label_config"]
        bar = progress.add_task("warming", total=api.task_count(project))
        done = failed = 0

        def warm(task: dict[str, Any]) -> tuple[int, list[str]]:
            return warm_task(session, backend_url, project, config, task)

        for warmed, problems in pool.map(warm, api.tasks(project)):
            done += warmed
            failed += len(problems)
            for problem in problems:
                progress.console.print(problem, markup=False, highlight=False)
            progress.advance(bar)
    return done, failed


def warm_task(
    session: requests.Session, backend_url: str, project: int, config: str, task: dict[str, Any]
) -> tuple[int, list[str]]:
    """Have one task's images encoded: how many are warm, and what was wrong with the others.

    Raises:
        WarmingError: the backend does not answer.
    """
    body = {
        "tasks": [{"id": task["id"], "data": task["data"]}],
        "project": str(project),
        "label_config": config,
        "params": {"context": None},
    }
    try:
        answer = session.post(f"{backend_url}/warm", json=body, timeout=SECONDS)
        content = read_json(answer.content)
    except (requests.RequestException, ValueError):
        raise WarmingError(
            f"no backend answers at {backend_url}: start it with `dynamite serve`"
        ) from None
    if not answer.ok:
        raise WarmingError(f"the backend refuses: {content['error']['message']}")
    return content["warm"], [f"task {task['id']}: {words}" for words in content["problems"]]
