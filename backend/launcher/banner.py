"""The text printed once the backend is ready."""

import os
import shutil
import sys
from pathlib import Path

from backend.settings import Settings


def address(settings: Settings) -> str:
    """Return the URL of the backend for Label Studio, without the secret."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if host in ("0.0.0.0", "[::]"):  # noqa: S104
        host = "localhost"
    return f"http://{host}:{settings.port}"


def own_command() -> str:
    """Return the ``dynamite`` command as it must be typed here: by name if the shell finds it."""
    own = Path(sys.executable).with_name("dynamite")
    if shutil.which("dynamite") == str(own) or not own.exists():
        return "dynamite"
    relative = os.path.relpath(own)
    return str(own) if relative.startswith("..") else relative


CLICKING = (
    "Switch Auto-Annotation on (below the image), then choose the magic point: the last icon",
    "of the toolbar at the image; the ordinary point looks nearly the same.",
    "Choose a label and click on the object: its mask appears. Alt + click says “not here”.",
    "Label Studio deselects the label after each click: choose it again (its number key).",
    "Another label marks another object. ✓ accepts the masks. Then press Submit: what was not",
    "accepted with ✓ is not saved as a mask.",
)
"""What to do in Label Studio once a task is open, line by line."""


def banner(settings: Settings, version: str, device: str, *, with_worker: bool = True) -> str:
    """Return URL, model and device, and the steps to take in Label Studio."""
    url = address(settings)
    attach = f"{url}/k/(your DYNAMITE_WEBHOOK_SECRET)" if settings.webhook_secret else url
    queue = "at REDIS_URL" if settings.redis_url else "embedded"
    own = "two workers" if settings.train_worker else "one worker"
    workers = own if with_worker else "no worker of its own"
    login = "Basic Authentication: your DYNAMITE_BASIC_AUTH_USER and DYNAMITE_BASIC_AUTH_PASSWORD,"
    password = [] if settings.basic_auth_user is None else [f"       {login}"]
    lines = [
        "",
        f"  DynaMITE listens on {url}",
        f"  model {version} on {device}, queue {queue}, {workers}",
        "",
        "  In Label Studio:",
        "    1. Project → Settings → Labeling Interface: paste the output of",
        f"       {own_command()} label-config LABEL LABEL …",
        f"    2. Project → Settings → Model → Connect Model: {attach},",
        *password,
        "       with “Use for interactive preannotations” on.",
        "    3. Open a task.",
        *(f"       {line}" for line in CLICKING),
        "",
        f"  If something does not work: {own_command()} doctor --project N",
        "",
    ]
    if settings.label_studio_url is None or settings.label_studio_api_key is None:
        lines += [
            "  LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY are not both set: images are fetched with",
            f"  the address and token that Label Studio sends when it connects; {own_command()}",
            "  doctor checks them.",
            "",
        ]
    if settings.cvat:
        lines += [
            "  In CVAT: set CVAT_NUCLIO_HOST, _PORT and _INVOKE_METHOD (docs/cvat.md); then, in a",
            "  job, AI Tools → Interactors → DynaMITE. If it is not there:",
            f"  {own_command()} doctor --cvat URL --token TOKEN",
            "",
        ]
    lines.append("  Ctrl-C stops it.")
    return "\n".join(lines)
