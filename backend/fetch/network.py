"""One rule for all HTTP: which certificates are trusted, and when a proxy is used.

* Certificates: the authorities of the system, and those in the files that ``CA_VARIABLES`` name.
* Proxies: those that the environment names (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, less NO_PROXY), but
  never for this machine.
* Nothing else of the environment counts: no ``.netrc``, which would replace the token.
"""

import base64
import os
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

import certifi
from requests.utils import should_bypass_proxies

from backend.errors import ImageUnreachableError

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Environment variables that name files of further certificate authorities."""

CERTIFICATE_FIX = "if a private certificate authority has signed it, name its file in SSL_CERT_FILE"


@dataclass(frozen=True)
class Proxy:
    """A proxy of the environment. ``variable`` names it, ``shown`` is its URL without password."""

    variable: str
    url: str
    host: str
    port: int
    authorization: str | None

    @property
    def shown(self) -> str:
        """The proxy and its variable, for messages."""
        return f"the proxy {self.host}:{self.port} ({self.variable})"

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy itself must be sent."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}

    def way_around(self, host: str | None) -> str:
        """What to do if the proxy does not reach a host."""
        return f"add {host} to NO_PROXY if it is to be reached without {self.shown}"


def tls_context() -> ssl.SSLContext:
    """Make the context of every TLS connection.

    Raises:
        ImageUnreachableError: A variable names a file without certificates.
    """
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not any([paths.cafile, paths.capath]):  # a system without authorities
        context.load_verify_locations(certifi.where())
    if Path(paths.openssl_cafile).is_file():  # which SSL_CERT_FILE would replace
        context.load_verify_locations(paths.openssl_cafile)
    for variable in CA_VARIABLES:
        if named := os.environ.get(variable):
            try:
                if Path(named).is_dir():
                    context.load_verify_locations(capath=named)
                else:
                    context.load_verify_locations(cafile=named)
            except OSError as error:
                raise ImageUnreachableError(
                    f"{variable} names {named}, which holds no certificates ({error})"
                ) from None
    return context


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy through which a URL is reached, or None.

    Raises:
        ImageUnreachableError: The environment names a proxy that is not an http one.
    """
    wanted = urlsplit(url)
    named = getproxies_environment()
    kind = next((kind for kind in (wanted.scheme, "all") if named.get(kind)), None)
    if kind is None or is_loopback(wanted.hostname or "") or should_bypass_proxies(url, None):
        return None
    variable = f"{kind.upper()}_PROXY"
    text = named[kind] if "://" in named[kind] else f"http://{named[kind]}"
    try:
        parts = urlsplit(text)
        port = parts.port or 80
    except ValueError:
        raise ImageUnreachableError(f"{variable} is not the address of a proxy") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ImageUnreachableError(
            f"{variable} names a {parts.scheme}:// proxy: only http:// proxies can be used"
        )
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(variable, text, parts.hostname, port, authorization)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name or address."""
    bare = host.strip("[]").removesuffix(".").lower()
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")
