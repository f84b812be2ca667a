"""The text printed once the backend is ready."""

from backend.settings import Settings


def address(settings: Settings) -> str:
    """Return the URL of the backend for Label Studio, without the secret."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if host in ("0.0.0.0", "[::]"):  # noqa: S104
        host = "localhost"
    return f"http://{host}:{settings.port}"


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
        "       `dynamite label-config`.",
        f"    2. Project → Settings → Model → Connect Model: {attach},",
        *password,
        "       with “Use for interactive preannotations” on.",
        "    3. Open a task, switch Auto-Annotation on, choose the magic point, then a label,",
        "       and click on the object.",
        "",
    ]
    if settings.label_studio_url is None or settings.label_studio_api_key is None:
        lines += [
            "  LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY are not both set: images are fetched with",
            "  the address and token that Label Studio sends when it connects; `dynamite doctor`",
            "  checks them.",
            "",
        ]
    lines.append("  Ctrl-C stops it.")
    return "\n".join(lines)
