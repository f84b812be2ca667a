"""Checks of the backend, Label Studio and a project; each yields findings."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

from backend.doctor.findings import Finding, bad, good, unknown
from backend.errors import ImageError, UnknownHostError
from backend.fetch.session import Session, reason
from backend.label_studio import config_check, labeling_config
from backend.label_studio.api import ApiError, LabelStudioApi, redirected
from backend.label_studio.labeling_config import LabelingConfig
from backend.label_studio.predict_request import image_addresses, no_image
from backend.label_studio.served_tags import served_tags, too_new, too_old
from backend.label_studio.task_images import ImageFetcher
from backend.label_studio.token_trial import try_token
from backend.session.regions import ImageKey
from backend.settings import Settings, variable
from dynamite.errors import DynamiteError
from dynamite.json_text import read_json

PROJECT_PAGE = "Project → Settings →"
MOST_IMAGES = 5
"""Most images of a task that are tried."""


def check_server(api: LabelStudioApi) -> Iterator[Finding]:
    """Check that Label Studio answers, and report its version."""
    try:
        with Session() as session:
            answer = session.get(f"{api.url}/api/version", timeout=10)
    except requests.RequestException as error:
        fix = "is it running? Give the address that the browser shows"
        yield bad("address", f"{api.url}: {reason(error, api.url, 10)}", fix)
        return
    except ImageError as error:
        yield bad("address", str(error), "correct that variable, or unset it")
        return
    if message := redirected(api.url, answer):
        yield bad("address", message, "or give that address with --label-studio")
        return
    release = _release(answer)
    if release is None:
        what = "this backend" if _health(api.url) else "another server"
        message = f"{api.url} is the address of {what}, not of Label Studio"
        yield bad("address", message, "give the address that the browser shows")
        return
    yield good("address", f"Label Studio {release} answers at {api.url}")
    if words := too_old(release):
        yield unknown("release", words)


def _release(answer: requests.Response) -> str | None:
    """Return the version in Label Studio's answer; None if another server answered."""
    try:
        body = read_json(answer.content)
    except ValueError:
        return None
    has_release = answer.ok and isinstance(body, dict) and "release" in body
    return str(body["release"]) if has_release else None


def check_token(api: LabelStudioApi) -> Iterator[Finding]:
    """Check that Label Studio accepts the token, of either kind."""
    verdict = try_token(api)
    if verdict.is_good:
        yield good("token", verdict.words)
    else:
        yield bad("token", verdict.words, verdict.remedy)


def check_project(api: LabelStudioApi, project: int, settings: Settings) -> Iterator[Finding]:
    """Check that the project exists and that its labelling config fits."""
    try:
        found = api.get(f"/api/projects/{project}")
        config = labeling_config.parse(
            found["label_config"], settings.background_labels, settings.like_labels
        )
    except ApiError as error:
        fix = "the number is in the address of its page: /projects/N"
        yield bad("project", f"project {project}: {error}", fix)
        return
    except DynamiteError as error:
        fix = "`dynamite label-config LABEL...` writes a config that works"
        yield bad("labelling config", str(error), fix)
        return
    yield good("project", f"project {project} is “{found['title']}”")
    problems = config_check.problems(config)
    for problem in problems:
        yield bad("labelling config", problem, f"{PROJECT_PAGE} Labeling Interface → Code")
    if not problems:
        yield good("labelling config", "it fits this backend")
    yield from _pages(api, config)


def _pages(api: LabelStudioApi, config: LabelingConfig) -> Iterator[Finding]:
    """Report which page of Label Studio serves which tag, and which tags are too new for it."""
    for line in served_tags(config):
        yield good("pages", line)
    try:
        release = str(api.get("/api/version")["release"])
    except ApiError:
        return  # reported where the server is checked
    for words in too_new(config, release):
        yield bad("pages", words, "update Label Studio, or use BrushLabels or PolygonLabels")


def check_images(api: LabelStudioApi, project: int, fetcher: ImageFetcher) -> Iterator[Finding]:
    """Check that the images of the first task can be fetched."""
    task = next(api.tasks(project), None)
    if task is None:
        yield unknown("images", "the project has no tasks yet")
        return
    whole = labeling_config.parse(api.get(f"/api/projects/{project}")["label_config"])
    config = whole.for_task(task["data"])
    addresses = image_addresses(task["data"], config)
    if not config.images:
        fix = f"{PROJECT_PAGE} Labeling Interface → Code: does <Repeater> name the right field?"
        yield bad("images", f"task {task['id']}: the config makes no <Image> of its data", fix)
    for tag in config.images[:MOST_IMAGES]:
        key = ImageKey(tag.name)
        if key not in addresses:
            fix = f"{PROJECT_PAGE} Labeling Interface → Code: name a field that the tasks have"
            yield bad("images", f"task {task['id']}: {no_image(key, config)}", fix)
            continue
        try:
            size = len(fetcher.fetch(addresses[key], task["id"]).data)
        except ImageError as error:
            yield bad("images", f"task {task['id']}: {error}", image_fix(error))
        else:
            yield good("images", f"the image of task {task['id']} arrives ({size:,} bytes)")


def image_fix(error: ImageError) -> str:
    """Return what to do about an image that cannot be fetched."""
    return {
        "image_refused": "add its host to DYNAMITE_IMAGE_HOSTS (host or host:port)",
        "image_unauthorized": "set LABEL_STUDIO_API_KEY to a token of a member of this project",
        "image_unreachable": "set LABEL_STUDIO_URL to an address that works from this machine",
    }.get(error.code, "open the task in Label Studio: does the page show the image?")


def check_backend(url: str) -> Iterator[Finding]:
    """Check that the backend runs, and report its model."""
    health = _health(url)
    if health is None and _is_stranger(url):
        name = urlsplit(url).hostname
        message = f"the backend at {url} does not answer under the name {name}"
        fix = f"add {name} to {variable('known_hosts')} where it runs, and start it again"
        yield bad("model", message, fix)
        return
    if health is None:
        yield bad("model", f"no backend answers at {url}", "start it: `dynamite serve`")
        return
    yield good("model", f"{health['model_version']} on {health['device']} answers at {url}")


def _is_stranger(url: str) -> bool:
    """Whether a backend answers that does not know itself under the name in this URL."""
    try:
        with Session() as session:
            answer = session.get(f"{url}/health", timeout=5)
            return (
                answer.status_code == UnknownHostError.status
                and read_json(answer.content)["error"]["code"] == UnknownHostError.code
            )
    except (requests.RequestException, ValueError, LookupError, TypeError, ImageError):
        return False


def _health(url: str) -> dict[str, Any] | None:
    """Return the /health of a DynaMITE backend; None if there is none at this URL."""
    try:
        with Session() as session:
            found = read_json(session.get(f"{url}/health", timeout=5).content)
    except (requests.RequestException, ValueError, ImageError):
        return None
    ours = isinstance(found, dict) and {"model_version", "device"} <= found.keys()
    return found if ours else None
