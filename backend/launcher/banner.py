"""The text printed once the backend is ready."""

import textwrap
from collections.abc import Sequence

import click

from backend.label_studio.access import known_access
from backend.label_studio.token_trial import Verdict, try_access
from backend.launcher.devices import balancer_lines
from backend.own_command import own_command
from backend.settings import Settings


def address(settings: Settings) -> str:
    """Return the URL of the backend for Label Studio, without the secret."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if host in ("0.0.0.0", "[::]"):  # noqa: S104
        host = "localhost"
    return f"http://{host}:{settings.port}"


CLICKING = (
    "Switch Auto-Annotation on (below the image), then choose the magic point: the last icon",
    "of the toolbar at the image; the ordinary point looks nearly the same.",
    "Choose a label and click on the object: its mask appears. Alt + click says “not here”.",
    "Label Studio deselects the label after each click: choose it again (its number key).",
    "Another label marks another object. ✓ accepts the masks. Then press Submit: what was not",
    "accepted with ✓ is not saved as a mask.",
)
"""What to do in Label Studio once a task is open, line by line."""

UNSET = (
    "  LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY (a personal access token) are not both set:",
    "  images are fetched with the token that Label Studio sends when it connects. Since 1.23 it",
    "  refuses that token by default; this log and the status page then say so in red.",
)

TRIAL_SECONDS = 5.0
"""How long Label Studio may take to say whether it accepts the token."""


def token_verdict(settings: Settings) -> Verdict | None:
    """Return what Label Studio says of the token that will be used; None if none is known yet."""
    access = known_access(settings)
    return None if access.url is None else try_access(access, TRIAL_SECONDS)


def token_lines(settings: Settings, verdict: Verdict | None) -> list[str]:
    """Return what is to be said of Label Studio's token; a refusal is in red."""
    lines = []
    if verdict is not None:
        said = f"{'✓' if verdict.is_good else '✗'} Label Studio: {verdict}"
        wrapped = textwrap.wrap(said, 96, initial_indent="  ", subsequent_indent="    ")
        lines = wrapped if verdict.is_good else [click.style(line, fg="red") for line in wrapped]
    if settings.label_studio_url is None or settings.label_studio_api_key is None:
        lines += [*([""] * bool(lines)), *UNSET]
    return [*lines, ""] if lines else []


def banner(
    settings: Settings,
    version: str,
    device: str,
    verdict: Verdict | None = None,
    *,
    with_worker: bool = True,
) -> str:
    """Return URL, model and device, and the steps to take in Label Studio.

    ``verdict``: what Label Studio says of the token, as far as it is known.
    """
    url = address(settings)
    attach = f"{url}/k/(your DYNAMITE_WEBHOOK_SECRET)" if settings.webhook_secret else url
    login = "Basic Authentication: your DYNAMITE_BASIC_AUTH_USER and DYNAMITE_BASIC_AUTH_PASSWORD,"
    password = [] if settings.basic_auth_user is None else [f"       {login}"]
    lines = [
        "",
        f"  DynaMITE listens on {url}",
        f"  model {version} on {device}, {_others(settings, with_worker=with_worker)}",
        "",
        "  In Label Studio:",
        "    1. Project → Settings → Labeling Interface: paste the output of",
        f"       {own_command()} label-config LABEL LABEL …",
        f"    2. Project → Settings → Model → Connect Model: {attach},",
        *password,
        "       with “Interactive preannotations” on. If Label Studio answers “URL resolves to a",
        "       reserved network address”, start Label Studio with ML_BLOCK_LOCAL_IP=false and",
        "       SSRF_PROTECTION_ENABLED=false.",
        "    3. Open a task.",
        *(f"       {line}" for line in CLICKING),
        "",
        f"  If something does not work: {own_command()} doctor --project N",
        "",
    ]
    lines += token_lines(settings, verdict)
    if settings.cvat:
        lines += [
            "  In CVAT: set CVAT_NUCLIO_HOST, _PORT and _INVOKE_METHOD (docs/cvat.md); then, in a",
            "  job, AI Tools → Interactors → DynaMITE. If it is not there:",
            f"  {own_command()} doctor --cvat URL --token TOKEN",
            "",
        ]
    lines.append("  Ctrl-C stops it.")
    return "\n".join(lines)


def banner_of_several(servers: Sequence[Settings], version: str, *, with_worker: bool) -> str:
    """Return the addresses of web servers on several devices, and how HAProxy joins them."""
    first = servers[0]
    lines = [
        "",
        *(f"  DynaMITE listens on {address(one)} on {one.device}" for one in servers),
        f"  model {version}, {_others(first, with_worker=with_worker)}",
        "",
        "  HAProxy gives them one address: put these lines in the place of those that begin with",
        "  “server” in both sections “backend” of deploy/haproxy.cfg, and connect Label Studio or",
        "  CVAT to HAProxy (docs/team.md):",
        "",
        *balancer_lines(servers),
        "",
    ]
    if first.label_studio_url is None or first.label_studio_api_key is None:
        lines += [
            "  Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY: what Label Studio says when it",
            "  connects reaches one of them only.",
            "",
        ]
    lines.append("  Ctrl-C stops all of it.")
    return "\n".join(lines)


def _others(settings: Settings, *, with_worker: bool) -> str:
    queue = "at REDIS_URL" if settings.redis_url else "embedded"
    count = 1 + settings.train_worker + settings.memory
    own = "one worker" if count == 1 else f"{count} workers"
    return f"queue {queue}, {own if with_worker else 'no worker of its own'}"
