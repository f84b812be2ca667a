"""Checks of CVAT: that it answers, knows the interactor, and sends webhooks."""

from collections.abc import Iterator
from typing import Any

import requests

from backend.cvat.api import CvatApi, CvatError
from backend.cvat.callers import USER
from backend.cvat.generations import Generation, generation_of
from backend.cvat.metadata import FUNCTION
from backend.doctor import checks
from backend.doctor.findings import Finding, Verdict, bad, good, unknown
from backend.doctor.queue_checks import check_queue
from backend.errors import ImageError
from backend.fetch.session import Session
from backend.settings import Settings

HOOK = "/cvat/webhook"

SEVERAL = {
    Generation.CROP: "one mask for each call",
    Generation.FULL: "one mask for each call; large frames are slow",
    Generation.SHAPES: "several objects for each call",
}


def cvat_findings(
    settings: Settings, url: str, token: str, project: int | None, backend_url: str
) -> Iterator[Finding]:
    """Yield the findings of all checks; skip those that depend on a failed one.

    Args:
        settings: Of the backend.
        url: Of CVAT.
        token: For CVAT.
        project: Number of a project whose webhook to check; None to skip that.
        backend_url: Of the backend, as this machine reaches it.
    """
    yield from checks.check_backend(backend_url)
    yield from check_queue(settings)
    yield from check_routes(backend_url, settings)
    with CvatApi(url, token) as api:
        for stage in (check_server, check_token):
            found = list(stage(api))
            yield from found
            if any(one.verdict is Verdict.BAD for one in found):
                return
        yield from check_function(api)
        if project is None:
            yield unknown("webhook", "none checked: --project N adds the webhook of a project")
        else:
            yield from check_webhook(api, project)


def check_routes(backend_url: str, settings: Settings) -> Iterator[Finding]:
    """Check that the backend answers CVAT, as far as this machine may ask."""
    auth = None
    if settings.cvat_password is not None:
        auth = (USER, settings.cvat_password.get_secret_value())
    try:
        with Session() as session:
            answer = session.get(f"{backend_url}/api/functions", auth=auth, timeout=5)
    except (requests.RequestException, ImageError):
        return  # the check of the model has said so
    if answer.ok:
        yield good("interactor", "the backend answers calls of CVAT")
    elif answer.status_code == requests.codes.forbidden:
        yield unknown("interactor", "it is on; this machine may not call it (DYNAMITE_CVAT_PEERS)")
    elif answer.status_code == requests.codes.unauthorized:
        yield bad("interactor", "it asks for another password", "set DYNAMITE_CVAT_PASSWORD here")
    else:
        yield bad("interactor", "the backend does not answer CVAT", "set DYNAMITE_CVAT=true")


def check_server(api: CvatApi) -> Iterator[Finding]:
    """Check that CVAT answers, and report its version and the form of its answers."""
    try:
        about = api.get("/api/server/about")
        version = str(about["version"])
    except CvatError as error:
        fix = "is it running? Give the address that the browser shows"
        yield bad("address", str(error), fix)
        return
    except (KeyError, TypeError):
        fix = "give the address that the browser shows"
        yield bad("address", f"{api.url} is not the address of CVAT", fix)
        return
    form = generation_of(f"CVAT/{version}")
    yield good("address", f"CVAT {version} answers at {api.url} ({form}: {SEVERAL[form]})")


def check_token(api: CvatApi) -> Iterator[Finding]:
    """Check that CVAT accepts the token."""
    try:
        me = api.get("/api/users/self")
    except CvatError as error:
        fix = "make a new one under your name → Profile → Security"
        yield bad("token", f"it is not accepted: {error}", fix)
        return
    yield good("token", f"that of {me.get('username', '?')} is accepted")


def check_function(api: CvatApi) -> Iterator[Finding]:
    """Check that CVAT reaches the backend: it asks for the functions when it is asked."""
    variables = (
        "set CVAT_SERVERLESS=1, CVAT_NUCLIO_HOST, CVAT_NUCLIO_PORT and "
        "CVAT_NUCLIO_INVOKE_METHOD=dashboard on cvat_server and cvat_worker_annotation "
        "(deploy/compose.cvat.yaml)"
    )
    try:
        known = [one.get("id") for one in api.get("/api/lambda/functions")]
    except CvatError as error:
        fix = f"{variables}; DYNAMITE_KNOWN_HOSTS must hold the name it calls"
        yield bad("function", f"CVAT cannot list functions: {error}", fix)
        return
    except (AttributeError, TypeError):
        yield bad("function", "CVAT lists functions otherwise than known", variables)
        return
    if FUNCTION in known:
        yield good("function", f"CVAT knows {FUNCTION}: AI Tools → Interactors → DynaMITE")
        return
    others = ", ".join(map(str, known)) or "none"
    yield bad("function", f"CVAT lists other functions ({others})", variables)


def check_webhook(api: CvatApi, project: int) -> Iterator[Finding]:
    """Check that a project sends its jobs' changes to the backend."""
    try:
        hooks: list[dict[str, Any]] = list(api.listed("/api/webhooks", project_id=project))
    except CvatError as error:
        yield bad("webhook", str(error), "is the number that of /projects/N, and yours to manage?")
        return
    ours = [one for one in hooks if str(one.get("target_url", "")).endswith(HOOK)]
    active = [one for one in ours if one.get("is_active")]
    if any("update:job" in one.get("events", ()) for one in active):
        yield good("webhook", "changes of jobs are sent to the backend")
        return
    message = "there is none: accepted jobs arrive by comparison alone, if the project is known"
    if active:
        message = "it does not send update:job"
    elif ours:
        message = "it is switched off"
    fix = f"Project → Actions → Setup webhooks: http://HOST:9090{HOOK}, events job (and task)"
    yield bad("webhook", message, fix)
