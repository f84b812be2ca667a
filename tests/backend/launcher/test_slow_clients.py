"""Clients that send or read too slowly, over real sockets: they hold up nobody but themselves."""

import socket
import time
from contextlib import ExitStack, closing, suppress

import pytest

from backend.launcher import client_socket
from backend.launcher.client_socket import ClientSocket, who_gives_way
from tests.backend.launcher.web_server import health, served

pytestmark = pytest.mark.security

SERVER = """
from flask import Flask, request
from backend import settings
from backend.launcher import client_socket, web, web_worker

client_socket.ANSWER_SECONDS = 3
web_worker.HEAD_SECONDS, web_worker.BODY_SECONDS = 2, 3
large = b"x" * 50_000_000

def echo():
    try:
        return request.get_data()
    except OSError:
        return "cut", 400

class Small(web.WebApplication):
    def load(self):
        app = Flask("small")
        app.add_url_rule("/health", "health", lambda: {"status": "UP"})
        app.add_url_rule("/large", "large", lambda: large)
        app.add_url_rule("/body", "body", echo, methods=["POST"])
        return app

Small(settings.load()).run()
"""

HALF_HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Rest: "
HALF_BODY = b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf"
HALF_CHUNK = (
    b"POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"
)
NEVER_READS = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
NEVER_ENDS = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

SLOW = {
    "half headers": HALF_HEAD,
    "half bodies": HALF_BODY,
    "half chunks": HALF_CHUNK,
    "readers that never read": NEVER_READS,
    "readers that never hang up": NEVER_ENDS,
    "kept alive": NEVER_ENDS.replace(b"close", b"keep-alive"),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with served(tmp_path_factory.mktemp("web"), SERVER) as (port, _):
        yield port


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("said", SLOW.values(), ids=SLOW.keys())
def test_many_slow_clients_do_not_stop_health(port, said):
    with ExitStack() as stack:
        for _ in range(250):  # more than there are places: the slowest give way
            stack.enter_context(connect(port)).sendall(said)
        started = time.monotonic()
        for _ in range(5):
            assert health(port, timeout=5) == "UP"
        assert time.monotonic() - started < 5


@pytest.mark.slow
@pytest.mark.parametrize("said", [HALF_HEAD, HALF_BODY, HALF_CHUNK])
def test_a_client_that_drips_is_hung_up_on_in_time(port, said):
    with closing(connect(port)) as client:
        client.sendall(said)
        started = time.monotonic()
        with suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() < started + 20:
                client.sendall(b"x")
                time.sleep(0.2)
        assert time.monotonic() - started < 15


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_no_more_after_its_time(port):
    with closing(connect(port)) as client:
        client.sendall(NEVER_READS)
        time.sleep(6)
        count = 0
        try:
            while data := client.recv(1_000_000):
                count += len(data)
        except ConnectionResetError:
            pass
        assert count < 50_000_000


@pytest.mark.slow
def test_requests_in_pieces_are_answered_as_long_as_they_are_in_time(port):
    with closing(connect(port)) as client:
        for _ in range(2):  # on one connection
            for piece in (HALF_BODY[:30], HALF_BODY[30:], b"x" * 900, b"x" * 96):
                client.sendall(piece)
                time.sleep(0.1)
            answer = b""
            while not answer.endswith(b"x" * 996):
                answer += client.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")


@pytest.fixture
def pairs():
    with ExitStack() as stack:

        def make(peer, since=0.0, *, waiting=True):
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            client = stack.enter_context(ClientSocket(ours, peer))
            client.since, client.is_waiting = since, waiting
            client.theirs = theirs
            return client

        yield make


def test_the_slowest_of_the_peer_with_the_most_gives_way(pairs):
    honest, old, new = pairs("10.0.0.1", 1), pairs("10.0.0.2", 2), pairs("10.0.0.2", 3)
    busy = [pairs("10.0.0.3", 0, waiting=False) for _ in range(3)]
    assert who_gives_way([honest, new, old, *busy]) is old
    old.drop()
    assert old.theirs.recv(1) == b""
    assert who_gives_way(busy) is None


def test_a_silent_client_looks_as_if_it_had_hung_up(pairs, monkeypatch):
    client = pairs("10.0.0.1")
    client.expect(0.05)
    assert client.recv(10) == b""
    client.theirs.sendall(b"late")
    assert client.recv(10) == b""
    monkeypatch.setattr(client_socket, "ANSWER_SECONDS", 0.05)
    client.expect(5)
    with pytest.raises(BrokenPipeError):
        client.sendall(b"x" * 10_000_000)


def test_the_head_of_an_answer_goes_out_with_its_body():
    """A process killed in between has sent nothing, and a load balancer asks another one."""
    ours, theirs = socket.socketpair()
    with closing(ClientSocket(ours, "peer")) as client, closing(theirs):
        theirs.settimeout(0.2)
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with pytest.raises(TimeoutError):
            theirs.recv(100)
        client.sendall(b"body")
        client.sendall(b" and more")
        assert theirs.recv(100) == b"HTTP/1.1 200 OK\r\n\r\nbody and more"


def test_a_head_without_a_body_goes_out_at_the_end(port):
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as client:
        client.sendall(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(10)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
