"""Checks that Label Studio knows the backend, can reach it, and sends it annotation events."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from backend.doctor.findings import Finding, bad, good
from backend.label_studio.api import ApiError, LabelStudioApi
from backend.label_studio.setup import TRIAL
from backend.settings import Settings

SWITCHES = (
    "start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false: otherwise "
    "it refuses backends on private addresses"
)
CONNECT = "Project → Settings → Model → Connect Model"
PROBE = "connection test of dynamite doctor"


def check_attachment(
    api: LabelStudioApi, project: int, url: str, settings: Settings
) -> Iterator[Finding]:
    """Check the backend's row in the project; without a row, check that one could be added."""
    rows = api.get("/api/ml", project=project)
    ours = [row for row in rows if same_server(row["url"], url)]
    if not ours:
        yield from try_to_attach(api, project, url, settings)
        return
    if len(ours) > 1:
        message = f"the backend is connected {len(ours)} times"
        yield bad("connection", message, f"remove all but one under {CONNECT}")
    row = ours[0]
    if row.get("error_message") or row.get("state") == "DI":
        message = f"Label Studio cannot reach it: {row.get('error_message') or 'disconnected'}"
        yield bad("connection", message, "open the address on the machine of Label Studio")
    first = next((one for one in rows if one["is_interactive"]), row)
    if not row["is_interactive"]:
        message = "interactive preannotations are off: no click will arrive"
        yield bad("connection", message, f"switch them on under {CONNECT} → Edit")
    elif first is not row:
        message = f"another interactive backend comes first ({first['url']})"
        yield bad("connection", message, "Label Studio uses the first only: remove the other one")
    else:
        yield good("connection", f"connected as “{row['title']}”, interactive")
    yield from check_webhook(api, project, url, settings)


def check_webhook(
    api: LabelStudioApi, project: int, url: str, settings: Settings
) -> Iterator[Finding]:
    """Check the webhook, which is missing while one of Label Studio's two guards is on."""
    hooks = api.get("/api/webhooks/", project=project)
    active = [hook for hook in hooks if same_server(hook["url"], url) and hook["is_active"]]
    if active:
        yield good("webhook", "annotation events are sent to the backend")
        return
    yield bad(
        "webhook",
        "there is none: accepted annotations will not reach the backend",
        f"Project → Settings → Webhooks: add {shown(url, settings)}/webhook, "
        f"or {SWITCHES}, then connect again",
    )


def shown(url: str, settings: Settings) -> str:
    """Return the URL to connect, for the terminal: without the secret."""
    return f"{url}/k/(your DYNAMITE_WEBHOOK_SECRET)" if settings.webhook_secret else url


def connection(url: str, settings: Settings) -> dict[str, str]:
    """Return URL and password for Label Studio's API."""
    body = {"url": url}
    if settings.webhook_secret is not None:
        body["url"] += f"/k/{settings.webhook_secret.get_secret_value()}"
    if settings.basic_auth_user is not None and settings.basic_auth_password is not None:
        body |= {
            "auth_method": "BASIC_AUTH",
            "basic_auth_user": settings.basic_auth_user,
            "basic_auth_pass": settings.basic_auth_password.get_secret_value(),
        }
    return body


def try_to_attach(
    api: LabelStudioApi, project: int, url: str, settings: Settings
) -> Iterator[Finding]:
    """Attach the backend, report what Label Studio answers, and undo it."""
    body = {"project": project, "title": PROBE, "is_interactive": False, "extra_params": TRIAL}
    body |= connection(url, settings)
    hooks_before = {hook["id"] for hook in api.get("/api/webhooks/", project=project)}
    try:
        api.post("/api/ml", body)
    except ApiError as error:
        if error.status == 403:
            message = f"Label Studio refuses the address {url}"
            yield bad("private addresses", message, SWITCHES)
        else:
            said = str(error).replace(str(body["url"]), shown(url, settings))
            message = f"Label Studio cannot connect: {said}"
            yield bad("connection", message, "open the address on the machine of Label Studio")
        return
    finally:
        undo(api, project, hooks_before)
    if is_private(url):
        yield good("private addresses", "Label Studio accepts them")
    password = ", Basic Authentication" if settings.basic_auth_user else ""
    on = f"with “Interactive preannotations” on{password}"
    fix = f"{CONNECT}: {shown(url, settings)}, {on}"
    yield bad("connection", "the backend is not connected to the project yet", fix)


def undo(api: LabelStudioApi, project: int, hooks_before: set[Any]) -> None:
    """Remove the rows and webhooks of a trial; a refused trial can leave a row too."""
    for row in api.get("/api/ml", project=project):
        if row["title"] == PROBE:
            api.delete(f"/api/ml/{row['id']}")
    for hook in api.get("/api/webhooks/", project=project):
        if hook["id"] not in hooks_before:
            api.delete(f"/api/webhooks/{hook['id']}/")


def same_server(one: str, other: str) -> bool:
    """Return whether two URLs name the same server; localhost equals 127.0.0.1."""
    left, right = urlsplit(one), urlsplit(other)
    names = [(part.hostname or "").replace("localhost", "127.0.0.1") for part in (left, right)]
    return names[0] == names[1] and left.port == right.port


def is_private(url: str) -> bool:
    """Return whether Label Studio refuses a URL by default, judged without resolving its host."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host
