"""The client over real HTTP: redirects, DNS rebinding, limits, and misbehaving servers."""

import contextlib
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest

from backend import errors
from backend.fetch.client import MAX_REDIRECTS, Client
from backend.fetch.deadline import Deadline
from backend.fetch.hosts import AllowedHosts
from backend.fetch.url import Url
from tests.backend.http_servers import PNG, SLOW, Answer, Serve, redirect, send

pytestmark = pytest.mark.security


def get(url: str, *listed: str, seconds: float = 20, max_bytes: int = 10_000, **resolver):
    client = Client(AllowedHosts(None, listed, **resolver), max_bytes)
    return client.get(Url.parse(url), Deadline(seconds), lambda url: {"X-For": url.host})


def test_bytes_arrive_whole(serve: Serve) -> None:
    server = serve({"/a b.png": send(), "/a%20b.png": send()})
    reply = get(f"{server.url}/a b.png?x=1", server.at)
    assert (reply.status, reply.body, reply.content_type) == (200, PNG, "image/png")
    request = server.asked[0]
    assert request.path == "/a%20b.png?x=1"
    assert request.headers["host"] == server.at
    assert request.headers["x-for"] == "127.0.0.1"


def test_ipv6(serve: Serve) -> None:
    server = serve({"/a": send()}, host="::1")
    assert get(f"{server.url}/a", server.at).body == PNG
    assert server.asked[0].headers["host"] == f"[::1]:{server.port}"


def test_the_next_address_is_tried_if_one_does_not_answer(serve: Serve) -> None:
    server = serve({"/a": send()}, host="127.0.0.2")
    name = f"images:{server.port}"
    both = ["127.0.0.3", "127.0.0.2"]
    assert get(f"http://{name}/a", name, resolver=lambda *_: both).body == PNG


@pytest.fixture
def black_hole() -> Iterator[Callable[[str, int], None]]:
    """``black_hole(host, port)``: a connection to it is not answered until the test ends."""
    with contextlib.ExitStack() as stack:

        def dig(host: str, port: int) -> None:
            stack.enter_context(socket.create_server((host, port), backlog=0))
            for _ in range(3):  # Linux drops what a full queue of connections cannot take
                caller = stack.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex((host, port))

        yield dig


def test_an_address_that_swallows_all_leaves_time_for_the_next(serve: Serve, black_hole) -> None:
    """A host with an unreachable IPv6 address is reached by its IPv4 address."""
    server = serve({"/a": send()}, host="127.0.0.2")
    black_hole("127.0.0.3", server.port)
    name = f"images:{server.port}"
    both = ["127.0.0.3", "127.0.0.2"]
    reply = get(f"http://{name}/a", name, seconds=2, resolver=lambda *_: both)
    assert reply.body == PNG


def test_a_body_may_take_longer_than_an_addresss_share(serve: Serve) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.8)
        send()(handler)

    server = serve({"/a": slow}, host="127.0.0.2")
    name = f"images:{server.port}"
    several = ["127.0.0.2", *(f"127.0.0.{i}" for i in range(3, 13))]
    assert get(f"http://{name}/a", name, seconds=5, resolver=lambda *_: several).body == PNG


def test_addresses_that_all_swallow_share_one_deadline(serve: Serve, black_hole) -> None:
    port = serve({}, host="127.0.0.2").port
    both = ["127.0.0.3", "127.0.0.4"]
    for address in both:
        black_hole(address, port)
    start = time.monotonic()
    with pytest.raises(errors.ImageTimeoutError, match=r"0\.4 seconds"):
        get(f"http://a:{port}/", f"a:{port}", seconds=0.4, resolver=lambda *_: both)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("connects", [True, False])
def test_a_timeout_just_before_the_cut_is_the_same_timeout(
    serve: Serve, black_hole, monkeypatch: pytest.MonkeyPatch, *, connects: bool
) -> None:
    monkeypatch.setattr(Deadline, "cutting", lambda *_: contextlib.nullcontext())
    server = serve({"/a": lambda _: time.sleep(0.6)})
    at = server.at if connects else f"127.0.0.3:{server.port}"
    if not connects:
        black_hole("127.0.0.3", server.port)
    with pytest.raises(errors.ImageTimeoutError):
        get(f"http://{at}/a", at, seconds=0.3)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_to_allowed_hosts(serve: Serve, status: int) -> None:
    end = serve({"/end": send()}, host="127.0.0.2")
    start = serve({"/a": redirect("b", status), "/b": redirect(f"{end.url}/end", status)})
    assert get(f"{start.url}/a", start.at, end.at).body == PNG
    assert start.paths == ["/a", "/b"]
    assert end.asked[0].headers["x-for"] == "127.0.0.2", "each address is authorized on its own"


@pytest.mark.parametrize(
    "trick",
    [
        "{inner}/secret",
        "//{inner_at}/secret",
        "http://{start_at}@{inner_at}/secret",
        "http://2130706434:{inner_port}/secret",
        "http://0x7f000002:{inner_port}/secret",
        "http://0177.0.0.2:{inner_port}/secret",
        "http://[::ffff:127.0.0.2]:{inner_port}/secret",
        "http://127.0.0.2.:{inner_port}/secret",
        "http://127.0.0.2:{inner_port}\\@{start_at}/secret",
        "file:///etc/passwd",
        "gopher://{inner_at}/_x",
    ],
)
def test_a_redirect_inside_is_refused(serve: Serve, trick: str) -> None:
    """A known bypass of Label Studio's own check (CVE-2023-47116)."""
    inner = serve({"/secret": send(b"secret")}, host="127.0.0.2")
    start = serve({})
    start.pages["/a"] = redirect(
        trick.format(inner=inner.url, inner_at=inner.at, inner_port=inner.port, start_at=start.at)
    )
    with pytest.raises(errors.ImageRefusedError):
        get(f"{start.url}/a", start.at)
    assert not inner.asked


def test_the_address_checked_is_the_one_connected_to(serve: Serve) -> None:
    """A name that resolves differently the second time (DNS rebinding) gains nothing."""
    public, inner = serve({"/a": send()}, host="127.0.0.2"), serve({"/a": send(b"secret")})
    answers: Iterator[str] = iter(["127.0.0.2", "127.0.0.1", "127.0.0.1"])
    name = f"rebinding:{public.port}"
    assert get(f"http://{name}/a", name, resolver=lambda *_: [next(answers)]).body == PNG
    assert next(answers) == "127.0.0.1", "the name was looked up once"
    assert public.asked[0].headers["host"] == name
    assert not inner.asked


def test_a_name_that_leads_inside_is_refused_at_once_and_on_redirect(serve: Serve) -> None:
    inner = serve({"/secret": send(b"secret")})
    name = f"evil.example:{inner.port}"
    start = serve({"/a": redirect(f"http://{name}/secret")}, host="127.0.0.2")
    for url in (f"http://{name}/secret", f"{start.url}/a"):
        with pytest.raises(errors.ImageRefusedError, match="not public"):
            get(url, name, start.at, resolver=lambda *_: ["127.0.0.1"])
    assert not inner.asked


def test_redirects_end(serve: Serve) -> None:
    server = serve({"/a": redirect("/a")})
    with pytest.raises(errors.ImageUnreachableError, match="redirects"):
        get(f"{server.url}/a", server.at)
    assert len(server.asked) == MAX_REDIRECTS + 1


def test_the_environments_proxy_is_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = serve({}), serve({"/a": send()}, host="127.0.0.2")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert get(f"{server.url}/a", server.at).body == PNG
    assert not proxy.asked


def test_too_many_bytes_by_the_header_are_not_read(serve: Serve) -> None:
    server = serve({"/a": send(b"", Content_Length="10001")})
    with pytest.raises(errors.ImageTooLargeError, match="10000 bytes"):
        get(f"{server.url}/a", server.at)


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(100_000))


def endless_chunks(handler: BaseHTTPRequestHandler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"ffff\r\n" + bytes(0xFFFF) + b"\r\n")


@pytest.mark.parametrize("answer", [endless, endless_chunks])
def test_too_many_bytes_without_a_header_are_cut_off(serve: Serve, answer: Answer) -> None:
    server = serve({"/a": answer})
    with pytest.raises(errors.ImageTooLargeError):
        get(f"{server.url}/a", server.at)


def test_exactly_as_many_bytes_as_allowed_are_fine(serve: Serve) -> None:
    server = serve({"/a": send(bytes(10_000)), "/b": send(bytes(10_000), Content_Length="")})
    for path in "ab":
        assert len(get(f"{server.url}/{path}", server.at).body) == 10_000


def test_a_zip_bomb_stays_packed(serve: Serve) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    server = serve({"/a": send(bomb, Content_Encoding="gzip")})
    tracemalloc.start()
    with pytest.raises(errors.ImageTooLargeError):
        get(f"{server.url}/a", server.at, max_bytes=100_000)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


RAW_DEFLATE = zlib.compress(PNG)[2:-4]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("base64", PNG),
        ("aws-chunked", PNG),
        ("UTF-8", PNG),
        ("binary", PNG),
        ("identity", PNG),
        (" ", PNG),
        ("gzip, aws-chunked", PNG),
        ("gzip", PNG),
        ("gzip", gzip.compress(PNG, mtime=0)),
        ("GZip", gzip.compress(PNG, mtime=0) + b"behind it"),
        ("x-gzip", gzip.compress(PNG, mtime=0)),
        ("deflate", zlib.compress(PNG)),
        ("deflate", RAW_DEFLATE),
        ("gzip, gzip", gzip.compress(gzip.compress(PNG, mtime=0))),
        ("deflate, gzip", gzip.compress(zlib.compress(PNG))),
    ],
)
def test_a_stored_coding_is_undone_or_passed_over(serve: Serve, coding: str, body: bytes) -> None:
    server = serve({"/a": send(body, Content_Encoding=coding)})
    assert get(f"{server.url}/a", server.at).body == PNG


@pytest.mark.parametrize(
    ("coding", "body", "words"),
    [
        ("br", PNG, "compressed with 'br', which is not supported"),
        ("gzip", gzip.compress(PNG, mtime=0)[:-20], "gzip ends early"),
        ("gzip", gzip.compress(PNG, mtime=0)[:10] + b"\xff" * 50, "gzip is damaged"),
        ("deflate", PNG, "deflate is damaged"),
    ],
)
def test_a_coding_that_cannot_be_undone_is_named(
    serve: Serve, coding: str, body: bytes, words: str
) -> None:
    server = serve({"/a": send(body, Content_Encoding=coding)})
    with pytest.raises(errors.ImageUnreachableError, match=words):
        get(f"{server.url}/a", server.at)


@pytest.mark.parametrize("name", ["b\u00e4r \u718a.png".encode(), b"b\xe4r.png"])
def test_a_redirect_to_a_name_outside_ascii(serve: Serve, name: bytes) -> None:
    server = serve({"/a": redirect("/" + name.decode("latin-1")), f"/{quote(name)}": send()})
    assert get(f"{server.url}/a", server.at).body == PNG


def test_an_answer_that_ends_early_is_no_image(serve: Serve) -> None:
    server = serve({"/a": send(PNG[:50], Content_Length=str(len(PNG)))})
    with pytest.raises(errors.ImageUnreachableError, match="ends early"):
        get(f"{server.url}/a", server.at)


@pytest.mark.parametrize("kind", SLOW)
def test_a_server_that_takes_forever_is_left(serve: Serve, kind: str) -> None:
    server = serve({"/a": SLOW[kind]})
    start = time.monotonic()
    with pytest.raises(errors.ImageTimeoutError, match=r"0\.3 seconds") as caught:
        get(f"{server.url}/a?sig=secret", server.at, seconds=0.3)
    assert f"{server.url}/a " in str(caught.value), "what was waited for"
    assert "secret" not in str(caught.value)
    assert time.monotonic() - start < 10, "the server drips for 30 s"


def test_slow_redirects_share_one_deadline(serve: Serve) -> None:
    def late(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.25)
        redirect("/a")(handler)

    server = serve({"/a": late})
    with pytest.raises(errors.ImageTimeoutError):
        get(f"{server.url}/a", server.at, seconds=0.4)
    assert len(server.asked) <= 2


def test_a_slow_name_server_is_left_too() -> None:
    never = threading.Event()
    with pytest.raises(errors.ImageTimeoutError):
        get("http://a.example/", "a.example", seconds=0.2, resolver=lambda *_: never.wait(20))
    never.set()


def test_a_tls_handshake_that_takes_forever_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(errors.ImageTimeoutError):
            get(f"https://{at}/", at, seconds=0.3)


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(errors.ImageUnreachableError, match="refused"):
        get(f"http://{at}/", at)


def test_something_else_than_http_answers(serve: Serve) -> None:
    server = serve({"/a": lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")})
    with pytest.raises(errors.ImageUnreachableError, match="not HTTP"):
        get(f"{server.url}/a", server.at)


def test_a_certificate_is_checked_against_the_name(
    serve: Serve, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection uses the checked address, but the certificate must match the name."""
    server = serve({"/a": send()}, tls=certificate)
    listed = [f"{name}.example.com:{server.port}" for name in ("images", "other")] + [server.at]
    right, wrong = (f"https://{entry}/a" for entry in listed[:2])

    def resolver(*_: object) -> list[str]:
        return ["127.0.0.1"]

    with pytest.raises(errors.ImageUnreachableError, match="certificate"):
        get(right, *listed, resolver=resolver)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert get(right, *listed, resolver=resolver).body == PNG
    with pytest.raises(errors.ImageUnreachableError, match="certificate"):
        get(wrong, *listed, resolver=resolver)
    assert len(server.asked) == 1


def test_an_answer_of_another_status_is_handed_back_without_its_body(serve: Serve) -> None:
    server = serve({"/a": send(b"x" * 50_000, 500)})
    reply = get(f"{server.url}/a", server.at)
    assert (reply.status, reply.body) == (500, b"")


def test_many_threads_fetch_at_once(serve: Serve) -> None:
    server = serve({f"/{i}": send(str(i).encode()) for i in range(16)})
    client = Client(AllowedHosts(None, [server.at]), 100)
    found: dict[int, bytes] = {}

    def work(i: int) -> None:
        found[i] = client.get(Url.parse(f"{server.url}/{i}"), Deadline(20), lambda _: {}).body

    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: str(i).encode() for i in range(16)}
