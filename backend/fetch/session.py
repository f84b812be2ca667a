"""A session of requests that keeps the rule of ``backend.fetch.network``."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

import requests

from backend.fetch.in_time import InTimeAdapter
from backend.fetch.network import CERTIFICATE_FIX, proxy_for, tls_context


class Session(requests.Session):
    """Sends the headers it is given, whatever ``.netrc`` says."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # no .netrc; certificates and proxies follow below
        self.mount("http://", InTimeAdapter())

    def get_adapter(self, url: str) -> Any:
        """Read the certificate authorities when the first https address is asked."""
        if url.startswith("https://") and not isinstance(self.adapters["https://"], _Adapter):
            self.mount("https://", _Adapter())
        return super().get_adapter(url)

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Take the proxy from the environment."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {**settings, "proxies": _proxies(str(url))}

    def rebuild_proxies(
        self, prepared_request: requests.PreparedRequest, proxies: Any
    ) -> MutableMapping[str, str]:
        """Choose the proxy anew after a redirect."""
        proxies = _proxies(str(prepared_request.url))
        rebuilt: MutableMapping[str, str] = super().rebuild_proxies(prepared_request, proxies)  # type: ignore[no-untyped-call]
        return rebuilt


class _Adapter(InTimeAdapter):
    """Checks certificates by one context instead of certifi's authorities."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        return super().init_poolmanager(*arguments, ssl_context=tls_context(), **options)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*arguments, ssl_context=tls_context(), **options)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002
        conn.cert_reqs = "CERT_REQUIRED"


def _proxies(url: str) -> dict[str, str]:
    found = proxy_for(url)
    return {} if found is None else {urlsplit(url).scheme: found.url}


def reason(error: requests.RequestException, url: str, seconds: float) -> str:
    """Return why a URL did not answer, in plain words that name the variable to set."""
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return f"its certificate is not accepted; {CERTIFICATE_FIX}"
        return "it does not speak TLS: is the address https?"
    words = type(error).__name__
    if isinstance(error, requests.exceptions.ProxyError):
        words = "the proxy does not let the request through"
    elif isinstance(error, requests.Timeout):
        words = f"no answer within {seconds:.0f} s"
    elif isinstance(error, requests.ConnectionError):
        words = "nothing answers there"
    proxy = proxy_for(url)
    return f"{words}; {proxy.way_around(urlsplit(url).hostname)}" if proxy else words
