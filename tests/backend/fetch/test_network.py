"""One rule for images and for Label Studio's API: tokens, certificates and proxies."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.doctor.checks import check_server
from backend.errors import ImageRefusedError, ImageUnreachableError
from backend.fetch.client import Client
from backend.fetch.deadline import Deadline
from backend.fetch.hosts import AllowedHosts
from backend.fetch.network import is_loopback, proxy_for, tls_context
from backend.fetch.url import Url
from backend.label_studio.api import ApiError, LabelStudioApi
from tests.backend.http_servers import PNG, Serve, send

TOKEN = "0123456789abcdef"
JSON = send(b'{"release": "1.23.2", "email": "a@example.com"}')
NAME = "images.example.com"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("HTTP", "HTTPS", "ALL", "NO"):
        monkeypatch.delenv(f"{kind}_PROXY", raising=False)
        monkeypatch.delenv(f"{kind}_PROXY".lower(), raising=False)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)


@dataclass
class Proxy:
    """A proxy that leads every host to ``port`` of this machine."""

    url: str
    port: int
    heads: list[str] = field(default_factory=list)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Proxy(f"http://me:pass@127.0.0.1:{listener.getsockname()[1]}", 0)

        def serve_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=pass_on, args=listener.accept()[:1]).start()

        def pass_on(client: socket.socket) -> None:
            with client, socket.create_connection(("127.0.0.1", found.port)) as server:
                head = client.recv(65536)
                found.heads.append(head.decode())
                if head.startswith(b"CONNECT "):
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    server.sendall(head)
                back = threading.Thread(target=copy, args=(server, client))
                back.start()
                copy(client, server)
                back.join()

        thread = threading.Thread(target=serve_all)
        thread.start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def nobody(*_: object) -> list[str]:
    raise ImageUnreachableError("the proxy alone knows this name")


def image(url: str, resolver=nobody) -> bytes:
    host = Url.parse(url)
    client = Client(AllowedHosts(None, [f"{host.host}:{host.port}"], resolver), 10_000)
    return client.get(host, Deadline(20), lambda _: {"Authorization": "x"}).body


def version(url: str) -> str:
    with LabelStudioApi(url, TOKEN) as api:
        return str(api.get("/api/version")["release"])


def test_netrc_does_not_replace_the_token(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve({"/api/version": JSON})
    version(f"http://localhost:{server.port}")
    assert [one.headers["authorization"] for one in server.asked] == [f"Token {TOKEN}"]


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_private_authority_counts_for_images_and_for_the_api(
    serve: Serve, certificate: tuple[Path, Path], proxy: Proxy, monkeypatch, variable: str
) -> None:
    server = serve({"/api/version": JSON, "/a": send()}, tls=certificate)
    proxy.port = server.port
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    url = f"https://{NAME}:{server.port}"
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(ApiError, match=r"its certificate is not accepted; .*SSL_CERT_FILE"):
        version(url)
    with pytest.raises(ImageUnreachableError, match=r"its certificate is not.*SSL_CERT_FILE"):
        image(f"{url}/a")
    monkeypatch.setenv(variable, str(certificate[0]))
    assert version(url) == "1.23.2"
    assert image(f"{url}/a") == PNG
    assert all(head.startswith(f"CONNECT {NAME}:{server.port} ") for head in proxy.heads)
    assert all("Proxy-Authorization: Basic bWU6cGFzcw==" in head for head in proxy.heads)
    assert not any("proxy-authorization" in one.headers for one in server.asked)


def test_a_variable_that_names_no_certificates_is_called_by_its_name(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(ImageUnreachableError, match="REQUESTS_CA_BUNDLE names"):
        tls_context()
    with pytest.raises(ApiError, match="REQUESTS_CA_BUNDLE names"):
        version("https://127.0.0.1:9")
    with LabelStudioApi("https://127.0.0.1:9", TOKEN) as api:
        (found,) = check_server(api)
    assert "REQUESTS_CA_BUNDLE names" in found.message


def test_a_proxy_passes_on_what_http_asks(serve: Serve, proxy: Proxy, monkeypatch) -> None:
    server = serve({f"http://{NAME}/a": send(), f"http://{NAME}/api/version": JSON})
    proxy.port = server.port
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert image(f"http://{NAME}/a") == PNG
    assert version(f"http://{NAME}") == "1.23.2"
    assert [one.headers["host"] for one in server.asked] == [NAME, NAME]
    assert all("proxy-authorization" in one.headers for one in server.asked)


def test_a_proxy_is_no_way_to_private_addresses(proxy: Proxy, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with pytest.raises(ImageRefusedError, match="which is not public"):
        image(f"http://{NAME}/a", lambda *_: ["10.0.0.1"])
    assert not proxy.heads


def test_this_machine_is_never_asked_through_a_proxy(serve: Serve, monkeypatch) -> None:
    server = serve({"/api/version": JSON, "/a": send()})
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for host in ("127.0.0.1", "localhost"):
        assert version(f"http://{host}:{server.port}") == "1.23.2"
    assert image(f"{server.url}/a") == PNG


def test_a_proxy_that_fails_is_named_with_its_variable(monkeypatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pass@127.0.0.1:9")
    words = r"add images.example.com to NO_PROXY .* the proxy 127.0.0.1:9 \(HTTPS_PROXY\)"
    with pytest.raises(ApiError, match=words) as caught:
        version(f"https://{NAME}")
    assert "pass" not in str(caught.value)
    with pytest.raises(ImageUnreachableError, match=words):
        image(f"https://{NAME}/a")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    for ask in (version, image):
        with pytest.raises((ApiError, ImageUnreachableError), match="HTTPS_PROXY names a socks5"):
            ask(f"https://{NAME}")


@pytest.mark.parametrize(
    ("url", "no_proxy", "used"),
    [
        ("http://example.com/a", "", True),
        ("http://example.com/a", "example.com", False),
        ("http://a.example.com/a", ".example.com", False),
        ("http://10.1.2.3/a", "10.0.0.0/8", False),
        ("http://127.0.0.1:8080/", "", False),
        ("http://[::1]:8080/", "", False),
        ("http://labels.localhost/", "", False),
    ],
)
def test_no_proxy_and_this_machine_are_left_out(monkeypatch, url, no_proxy, used) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    found = proxy_for(url)
    assert (found is not None) == used
    if found is not None:
        assert (found.host, found.port) == ("proxy", 3128)


def test_only_this_machine_is_loopback() -> None:
    assert is_loopback("localhost.")
    assert not is_loopback("localhost.example.com")
