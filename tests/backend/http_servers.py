"""Real HTTP servers on loopback that say what a test wants and remember what they were asked."""

import contextlib
import io
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.backend.label_studio.fake_label_studio import LabelStudio

Answer = Callable[[BaseHTTPRequestHandler], None]


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(file, "PNG")
    return file.getvalue()


PNG = png()


def send(body: bytes = PNG, status: int = 200, **headers: str) -> Answer:
    """Answer with a body; Content_Type and the like as keywords."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        given = {"Content_Type": "image/png", "Content_Length": str(len(body))} | headers
        for name, value in given.items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(location: str, status: int = 302) -> Answer:
    return send(b"", status, Location=location)


def drip(lead: bytes, drop: bytes) -> Answer:
    """A byte now and then never exceeds a socket timeout."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(lead)
        for _ in range(600):
            handler.wfile.write(drop)
            time.sleep(0.05)

    return answer


SLOW = {
    "silence": drip(b"", b""),
    "status": drip(b"HTTP/1.", b"0"),
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X"),
    "body": drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "length": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
    "chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """``pages`` by path without query; ``asked`` is every request that came."""

    host: str
    port: int
    pages: dict[str, Answer]
    scheme: str = "http"
    asked: list[Request] = field(default_factory=list)

    @property
    def at(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.at}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients of these tests hang up in the middle."""


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(pages, host="127.0.0.1", tls=None)``: a server until the end of the test."""
    with contextlib.ExitStack() as stack:

        def start(
            pages: dict[str, Answer],
            host: str = "127.0.0.1",
            tls: tuple[Path, Path] | None = None,
        ) -> Server:
            class Handler(BaseHTTPRequestHandler):
                def log_message(self, *_: object) -> None: ...

                def do_GET(self) -> None:
                    length = int(self.headers.get("Content-Length") or 0)
                    body = self.rfile.read(length)
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    server.asked.append(Request(self.command, self.path, headers, body))
                    page = server.pages.get(self.path.partition("?")[0], send(b"", 404))
                    with contextlib.suppress(OSError):
                        page(self)

                do_POST = do_GET

            class Listener(_Quiet):
                address_family = 10 if ":" in host else 2

            listener = Listener((host, 0), Handler)
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*tls)
                listener.socket = context.wrap_socket(listener.socket, server_side=True)
            server = Server(host, listener.server_address[1], pages, "https" if tls else "http")
            thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.server_close)
            stack.callback(listener.shutdown)
            return server

        yield start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for images.example.com, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=images.example.com"
    alternative = ["-addext", "subjectAltName=DNS:images.example.com"]
    subprocess.run(
        [*command.split(), *alternative, "-out", cert, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture(params=["", "/labels"], ids=["at the top", "below a folder"])
def label_studio(serve: "Serve", request: pytest.FixtureRequest) -> "LabelStudio":
    from tests.backend.label_studio.fake_label_studio import LabelStudio

    return LabelStudio(serve, request.param)
