"""Whether Label Studio knows the backend, may reach it, and tells it of annotations."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from backend.doctor.findings import Finding, bad, good
from backend.label_studio.api import ApiError, LabelStudioApi
from backend.label_studio.setup import TRIAL
from backend.settings import Settings

SWITCHES = (
    "start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false: it refuses "
    "backends on private addresses otherwise"
)
CONNECT = "Project → Settings → Model → Connect Model"
PROBE = "connection test of dynamite doctor"


def check_attachment(
    api: LabelStudioApi, project: int, url: str, settings: Settings
) -> Iterator[Finding]:
    """The backend's row in the project, or whether it could have one."""
    rows = api.get("/api/ml", project=project)
    ours = [row for row in rows if same_place(row["url"], url)]
    if not ours:
        yield from try_to_attach(api, project, url, settings)
        return
    if len(ours) > 1:
        words = f"the backend is connected {len(ours)} times"
        yield bad("connection", words, f"remove all but one under {CONNECT}")
    row = ours[0]
    if row.get("error_message") or row.get("state") == "DI":
        words = f"Label Studio cannot reach it: {row.get('error_message') or 'disconnected'}"
        yield bad("connection", words, "check the address from the machine Label Studio runs on")
    first = next((one for one in rows if one["is_interactive"]), row)
    if not row["is_interactive"]:
        words = "interactive preannotations are off: no click will arrive"
        yield bad("connection", words, f"switch them on under {CONNECT} → Edit")
    elif first is not row:
        words = f"another interactive backend comes first ({first['url']})"
        yield bad("connection", words, "Label Studio uses the first only: remove the other one")
    else:
        yield good("connection", f"connected as “{row['title']}”, interactive")
    yield from check_webhook(api, project, url, settings)


def check_webhook(
    api: LabelStudioApi, project: int, url: str, settings: Settings
) -> Iterator[Finding]:
    """Annotation events: missing where one of Label Studio's two guards is still on."""
    hooks = api.get("/api/webhooks/", project=project)
    active = [hook for hook in hooks if same_place(hook["url"], url) and hook["is_active"]]
    if active:
        yield good("webhook", "annotation events are sent to the backend")
        return
    yield bad(
        "webhook",
        "there is none: no accepted annotation will ever reach the backend",
        f"Project → Settings → Webhooks: add {shown(url, settings)}/webhook, "
        f"or {SWITCHES}, then connect again",
    )


def shown(url: str, settings: Settings) -> str:
    """The address to connect, as it may stand on a terminal."""
    return f"{url}/k/(your DYNAMITE_WEBHOOK_SECRET)" if settings.webhook_secret else url


def connection(url: str, settings: Settings) -> dict[str, str]:
    """Address and password as Label Studio must be told them."""
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
    """Attach the backend, see what Label Studio says, and undo it."""
    body = {"project": project, "title": PROBE, "is_interactive": False, "extra_params": TRIAL}
    body |= connection(url, settings)
    hooks_before = {hook["id"] for hook in api.get("/api/webhooks/", project=project)}
    try:
        api.post("/api/ml", body)
    except ApiError as error:
        if error.status == 403:
            words = f"Label Studio refuses the address {url}"
            yield bad("private addresses", words, SWITCHES)
        else:
            said = str(error).replace(str(body["url"]), shown(url, settings))
            words = f"Label Studio cannot connect: {said}"
            yield bad("connection", words, "check the address from its machine")
        return
    finally:
        undo(api, project, hooks_before)
    if is_private(url):
        yield good("private addresses", "Label Studio accepts them")
    password = ", Basic Authentication" if settings.basic_auth_user else ""
    on = f"with “Use for interactive preannotations” on{password}"
    mend = f"{CONNECT}: {shown(url, settings)}, {on}"
    yield bad("connection", "the backend is not connected to the project yet", mend)


def undo(api: LabelStudioApi, project: int, hooks_before: set[Any]) -> None:
    """Remove what a trial left; a refused one can leave a row too."""
    for row in api.get("/api/ml", project=project):
        if row["title"] == PROBE:
            api.delete(f"/api/ml/{row['id']}")
    for hook in api.get("/api/webhooks/", project=project):
        if hook["id"] not in hooks_before:
            api.delete(f"/api/webhooks/{hook['id']}/")


def same_place(one: str, other: str) -> bool:
    """Whether two addresses mean the same server; localhost is 127.0.0.1."""
    left, right = urlsplit(one), urlsplit(other)
    names = [(part.hostname or "").replace("localhost", "127.0.0.1") for part in (left, right)]
    return names[0] == names[1] and left.port == right.port


def is_private(url: str) -> bool:
    """Whether the address is one that Label Studio refuses by default, as far as can be seen."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host
