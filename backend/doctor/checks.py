"""The checks, from the outside in: each a generator of findings."""

from collections.abc import Iterator
from typing import Any

import requests
from redis import Redis
from redis.exceptions import RedisError

from backend.doctor.findings import Finding, bad, good, unknown
from backend.errors import ImageError
from backend.label_studio import labeling_config
from backend.label_studio.api import ApiError, LabelStudioApi, reason, redirected
from backend.label_studio.task_images import ImageFetcher
from backend.retraining.status import Backlog, last_backlog
from backend.settings import Settings
from dynamite.errors import DynamiteError

PROJECT_PAGE = "Project → Settings →"


def check_server(api: LabelStudioApi) -> Iterator[Finding]:
    """Whether Label Studio is there, and which one."""
    try:
        answer = requests.get(f"{api.url}/api/version", timeout=10)
    except requests.RequestException as error:
        mend = "is it running? Give the address that the browser shows, without a path"
        yield bad("address", f"{api.url}: {reason(error, 10)}", mend)
        return
    if words := redirected(api.url, answer):
        yield bad("address", words, "or give that address with --label-studio")
        return
    release = _release(answer)
    if release is None:
        here = f"what answers at {api.url} is"
        words = (
            f"{here} this backend, not Label Studio"
            if _health(api.url)
            else f"{here} no Label Studio"
        )
        yield bad("address", words, "give the address that the browser shows, without a path")
        return
    yield good("address", f"Label Studio {release} answers at {api.url}")


def _release(answer: requests.Response) -> str | None:
    """The release that Label Studio names; None where something else answered."""
    try:
        body = answer.json()
    except ValueError:
        return None
    named = answer.ok and isinstance(body, dict) and "release" in body
    return str(body["release"]) if named else None


def check_token(api: LabelStudioApi) -> Iterator[Finding]:
    """Whether the token is accepted, whichever kind it is."""
    kind = "personal access token" if api.has_personal_token else "legacy token"
    try:
        me = api.get("/api/current-user/whoami")
    except DynamiteError as error:
        if api.has_personal_token:
            mend = "make a new one under Account & Settings → Personal Access Token"
        else:
            mend = (
                "use a personal access token, or let an owner allow legacy tokens under "
                "Organization → API Tokens Settings"
            )
        yield bad("token", f"the {kind} is not accepted: {error}", mend)
        return
    yield good("token", f"the {kind} of {me.get('email', '?')} is accepted")


def check_project(api: LabelStudioApi, project: int, settings: Settings) -> Iterator[Finding]:
    """Whether the project exists, and whether its labelling config fits."""
    try:
        found = api.get(f"/api/projects/{project}")
        config = labeling_config.parse(found["label_config"], settings.background_labels)
    except ApiError as error:
        mend = "the number is in the address of its page: /projects/N"
        yield bad("project", f"project {project}: {error}", mend)
        return
    except DynamiteError as error:
        mend = "`dynamite label-config LABEL...` writes a config that works"
        yield bad("labelling config", str(error), mend)
        return
    yield good("project", f"project {project} is “{found['title']}”")
    for problem in config.problems:
        yield bad("labelling config", problem, f"{PROJECT_PAGE} Labeling Interface → Code")
    if not config.problems:
        yield good("labelling config", "it fits this backend")


def check_images(api: LabelStudioApi, project: int, fetcher: ImageFetcher) -> Iterator[Finding]:
    """Whether the images of the first task can be fetched."""
    task = next(api.tasks(project), None)
    if task is None:
        yield unknown("images", "the project has no tasks yet")
        return
    parsed = labeling_config.parse(api.get(f"/api/projects/{project}")["label_config"])
    for tag in parsed.images:
        value = task["data"].get(tag.value)
        first = value[0] if isinstance(value, list) and value else value
        try:
            size = len(fetcher.fetch(str(first), task["id"]).data)
        except ImageError as error:
            yield bad("images", f"task {task['id']}: {error}", mend_image(error))
        else:
            yield good("images", f"that of task {task['id']} arrives ({size:,} bytes)")


def mend_image(error: ImageError) -> str:
    """What helps against an image that cannot be had."""
    return {
        "image_refused": "name its host in DYNAMITE_IMAGE_HOSTS (host or host:port)",
        "image_unauthorized": "set LABEL_STUDIO_API_KEY to a token of a member of this project",
        "image_unreachable": "set LABEL_STUDIO_URL to an address that works from this machine",
    }.get(error.code, "open the task in Label Studio: does the page show the image?")


def check_backend(url: str) -> Iterator[Finding]:
    """Whether the backend runs, and with which model."""
    health = _health(url)
    if health is None:
        yield bad("model", f"no backend answers at {url}", "start it: `dynamite serve`")
        return
    words = f"{health['model_version']} on {health['device']} answers at {url}"
    yield good("model", words)


def _health(url: str) -> dict[str, Any] | None:
    """What a backend of ours says of itself; None where none answers."""
    try:
        found = requests.get(f"{url}/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return None
    ours = isinstance(found, dict) and {"model_version", "device"} <= found.keys()
    return found if ours else None


def check_queue(settings: Settings) -> Iterator[Finding]:
    """Whether the queue takes jobs, and what its workers could not take in."""
    try:
        with Redis.from_url(
            settings.queue_url, socket_connect_timeout=3, socket_timeout=5
        ) as client:
            client.ping()
            backlog = last_backlog(client)
    except (RedisError, OSError, UnicodeError) as error:
        mend = "it runs while `dynamite serve` does; REDIS_URL names another one"
        yield bad("queue", f"the queue server does not answer ({error})", mend)
        return
    yield good("queue", "the queue server answers")
    if backlog is not None:
        yield _annotations(backlog)


def _annotations(backlog: Backlog) -> Finding:
    if backlog.waiting:
        words = f"events waiting: {backlog.waiting}; the last: {backlog.waits_for}"
        mend = (
            "mend that; they are tried again with each comparison (DYNAMITE_RECONCILE_MINUTES), or "
            "every 15 minutes where there is none, for two weeks"
        )
        return bad("annotations", words, mend)
    if backlog.set_aside:
        listed = "`dynamite annotations rejected` lists them"
        return good("annotations", f"none waiting; set aside: {backlog.set_aside}, {listed}")
    return good("annotations", "none waiting, none set aside")
