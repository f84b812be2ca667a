"""Fetches the images of tasks: the value of an image field becomes bytes.

============================= ====================================================================
value                         fetched from
============================= ====================================================================
``/data/upload/…``            Label Studio, with the token
``/data/local-files/?d=…``    the configured folder, where the file is in it; else Label Studio
``s3:``, ``gs:``,             Label Studio's presign address, which redirects to the storage or
``azure-blob://…``            hands its bytes through
``http:``, ``https://…``      there, if the host is allowed; the token goes to Label Studio only
``data:…``                    the value itself, if it is small
============================= ====================================================================
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from backend.errors import (
    ImageMissingError,
    ImageRefusedError,
    ImageUnauthorizedError,
    ImageUnreachableError,
)
from backend.fetch.client import Client, Reply
from backend.fetch.deadline import Deadline
from backend.fetch.hosts import AllowedHosts, Resolver, resolve
from backend.fetch.local import checked_parts, read_below
from backend.fetch.url import Url
from backend.images.decode import digest
from backend.label_studio.access import Access
from backend.label_studio.data_uri import MAX_DATA_URI, is_data_uri, read_data_uri
from backend.label_studio.tokens import Tokens
from backend.settings import Settings, variable

STORAGES = ("s3", "gs", "azure-blob")
PASSING = (401, 403, 408, 424, 425, 429)
"""Refusals that may pass: the caller or the moment is wrong, not the address.

Storages answer 403 to a signature that has just expired, some hosts to too many requests. Label
Studio answers 424 when a storage whose bytes it passes on fails.
"""

_LOCAL = "/data/local-files/"
_WITH_TOKEN = ("/data/", "/storage-data/", "/tasks/")


@dataclass(frozen=True)
class FetchSettings:
    """Where images may be fetched from, and how large they may be."""

    label_studio_url: str | None = None
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    local_root: Path | None = None
    timeout: float = 20.0
    max_bytes: int = 100_000_000


@dataclass(frozen=True)
class FetchedImage:
    """The bytes of an image file and their SHA-256."""

    data: bytes = field(repr=False)
    digest: str


def open_fetcher(settings: Settings, access: Access) -> "ImageFetcher":
    """A fetcher for images of Label Studio as far as it is known, and of the allowed hosts."""
    return ImageFetcher(
        FetchSettings(
            label_studio_url=access.url,
            token=access.token,
            hosts=settings.image_hosts,
            local_root=settings.local_files_root,
            timeout=settings.image_timeout,
            max_bytes=settings.max_image_bytes,
        )
    )


class ImageFetcher:
    """Fetches the images of tasks. Safe to use from many threads; keeps no image."""

    def __init__(self, settings: FetchSettings, resolver: Resolver = resolve) -> None:
        self._settings = settings
        base = settings.label_studio_url
        self._base = None if base is None else Url.parse(base)
        self._prefix = "" if self._base is None else self._base.path.rstrip("/")
        self._hosts = AllowedHosts(self._base, settings.hosts, resolver)
        self._client = Client(self._hosts, settings.max_bytes)
        self._tokens = None if not settings.token else Tokens(settings.token, self._exchange)

    def fetch(self, value: str, task_id: int | str | None = None) -> FetchedImage:
        """Fetch the image that ``value`` of a task names; storages need the ``task_id``.

        Raises:
            ImageError: it cannot be fetched; says why, without tokens and signatures.
        """
        if not isinstance(value, str) or not value.strip():
            raise ImageRefusedError(f"the image of the task is {str(value)[:80]!r}, not an address")
        value = value.strip()
        if is_data_uri(value):
            data = read_data_uri(value, min(MAX_DATA_URI, self._settings.max_bytes))
        else:
            data = self._from_address(value, task_id)
        return FetchedImage(data, digest(data))

    def _from_address(self, value: str, task_id: int | str | None) -> bytes:
        scheme = value.partition("://")[0].lower()
        if scheme in STORAGES:
            url = self._presign(value, task_id)
        elif value.startswith("/") and not value.startswith("//"):
            inner = self._inner(value)
            local = self._local(inner)
            if local is not None:
                return local
            url = self._at_label_studio(inner)
        else:
            url = Url.parse(value)
            local = self._local(self._inner(url.target)) if self._hosts.is_own(url) else None
            if local is not None:
                return local
        return self._download(url, value)

    def _download(self, url: Url, value: str) -> bytes:
        deadline = Deadline(self._settings.timeout, variable("image_timeout"))
        sent: dict[str, str] = {}
        rejected: dict[str, str] = {}

        def authorize(url: Url) -> Mapping[str, str]:
            if self._tokens is None or not self._wants_token(url):
                return {}
            sent.update(self._tokens.headers(deadline, rejected=rejected))
            return sent

        reply = self._client.get(url, deadline, authorize)
        if reply.status == 401 and sent and self._tokens and self._tokens.renews:
            rejected.update(sent)
            reply = self._client.get(url, deadline, authorize)
        return self._checked(reply, value)

    def _wants_token(self, url: Url) -> bool:
        return self._hosts.is_own(url) and self._inner(url.path).startswith(_WITH_TOKEN)

    def _inner(self, path: str) -> str:
        """A path as Label Studio sees it, where it is served below a folder of its host."""
        inside = path.startswith(self._prefix + "/")
        return path.removeprefix(self._prefix) if inside else path

    def _checked(self, reply: Reply, value: str) -> bytes:
        """The bytes of an answer; raises where it is a refusal."""
        own, status = self._hosts.is_own(reply.url), reply.status
        where = _shown(value) if own else reply.url.shown
        if own and (status in (401, 403) or (status == 200 and reply.content_type == "text/html")):
            raise ImageUnauthorizedError(
                f"Label Studio does not show {where} (status {status}): "
                + (
                    "set LABEL_STUDIO_API_KEY"
                    if self._tokens is None
                    else "the token is not accepted, or its user may not see this project"
                )
            )
        if status in (404, 410):
            raise ImageMissingError(f"there is no image at {where} (status {status})")
        if 400 <= status < 500 and status not in PASSING:
            raise ImageRefusedError(f"{where} is not shown to this backend (status {status})")
        if status != 200:
            raise ImageUnreachableError(f"{where} answers with status {status}")
        return reply.body

    def _exchange(self, token: str, deadline: Deadline) -> tuple[int, object]:
        url = self._at_label_studio("/api/token/refresh")
        return self._client.post_json(url, deadline, {"refresh": token})

    def _at_label_studio(self, path: str) -> Url:
        if self._base is None:
            raise ImageRefusedError(
                f"{path.partition('?')[0]!r} is an address within Label Studio: set "
                "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"
            )
        scheme, host, port = self._base.origin
        site = f"[{host}]" if ":" in host else host
        return Url.parse(f"{scheme}://{site}:{port}{self._prefix}{path}")

    def _presign(self, uri: str, task_id: int | str | None) -> Url:
        if task_id is None or not str(task_id).isdecimal():
            raise ImageRefusedError(
                f"{uri.partition('?')[0][:200]!r} is found through its task, but the task has no id"
            )
        encoded = base64.urlsafe_b64encode(uri.encode()).decode()
        return self._at_label_studio(f"/tasks/{task_id}/presign/?fileuri={encoded}")

    def _local(self, target: str) -> bytes | None:
        """The file that a local-files address names; None outside the configured folder."""
        path, _, query = target.partition("#")[0].partition("?")
        if path.rstrip("/") != _LOCAL.rstrip("/"):
            return None
        try:
            named = parse_qs(query, keep_blank_values=True, errors="strict").get("d", [])
        except ValueError:
            named = []
        if len(named) != 1:
            raise ImageRefusedError(f"an address of {_LOCAL} names one file with ?d=")
        below = named[0].replace("\\", "/").lstrip("/")  # backslashes: Label Studio on Windows
        checked_parts(below)
        root = self._settings.local_root
        return None if root is None else read_below(root, below, self._settings.max_bytes)


def _shown(value: str) -> str:
    """An address within Label Studio as the task has it, without a query except a file's path."""
    return value[:200] if _LOCAL in value else value.partition("?")[0][:200]
