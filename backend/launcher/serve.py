"""``dynamite serve``: queue server, worker and web server, started and stopped together."""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from http.client import HTTPConnection, HTTPException
from typing import Any

from backend.launcher.banner import banner
from backend.launcher.checks import StartError, alone_in, check
from backend.launcher.children import Child, Supervisor
from backend.launcher.environment import model_environment
from backend.launcher.valkey import valkey_child, wait_until_ready
from backend.settings import Settings

log = logging.getLogger(__name__)

LOADING_SECONDS = 300.0

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """SIGTERM arrived."""


def serve(
    settings: Settings, tell: Callable[[str], Any] = print, *, with_worker: bool = True
) -> None:
    """Run everything until Ctrl-C or SIGTERM.

    Raises:
        StartError: something is in the way of starting.
    """
    with started(settings, tell, with_worker=with_worker) as (supervisor, health):
        version, device = health["model_version"], health["device"]
        tell(banner(settings, version, device, with_worker=with_worker))
        supervisor.watch(tell)


@contextmanager
def started(
    settings: Settings, tell: Callable[[str], Any] = print, *, with_worker: bool = True
) -> Iterator[tuple[Supervisor, dict[str, Any]]]:
    """Start everything and wait until it answers; stop everything at the end whatever happens.

    Gives the supervisor and what the web server says at /health. Ctrl-C and SIGTERM end the block
    without an exception.

    Raises:
        StartError: something is in the way of starting, or it was stopped while it started.
    """
    check(settings)
    supervisor = Supervisor()
    health = None
    own_queue = alone_in(settings.state_dir) if settings.redis_url is None else nullcontext()
    with own_queue, stopped_by_signals():
        try:
            web = start(settings, supervisor, with_worker=with_worker)
            health = wait_for_web(settings, web)
            yield supervisor, health
        except (StopRequested, KeyboardInterrupt):
            tell("Stopping.")
            if health is None:
                raise StartError("stopped before it had started") from None
        finally:
            with signals_ignored():
                supervisor.stop()


def start(settings: Settings, supervisor: Supervisor, *, with_worker: bool) -> Child:
    """Start the queue server (unless one is configured), a worker, and the web server: the last."""
    server = None
    if settings.redis_url is None:
        server = supervisor.add(valkey_child(settings.socket_path, settings.state_dir / "valkey"))
    wait_until_ready(settings.queue_url, server)
    python = [sys.executable, "-m"]
    if with_worker:
        worker = [*python, "backend.cli", "worker", "--quiet", "--queues"]
        supervisor.add(Child("worker", [*worker, "ingest"], dict(os.environ)))
        if settings.train_worker:
            supervisor.add(Child("training worker", [*worker, "train"], dict(os.environ)))
    environment = model_environment(settings.torch_threads)
    return supervisor.add(Child("web server", [*python, "backend.launcher.web"], environment))


def wait_for_web(settings: Settings, web: Child) -> dict[str, Any]:
    """Wait until the web server answers; its answer names model and device.

    Raises:
        StartError: it ended; its own message is on the terminal already.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    deadline = time.monotonic() + LOADING_SECONDS
    while time.monotonic() < deadline:
        if web.status is not None:
            raise StartError("the web server did not start; the reason is above")
        connection = HTTPConnection(host, settings.port, timeout=2)
        try:
            connection.request("GET", "/health")
            answer: dict[str, Any] = json.load(connection.getresponse())
        except (OSError, HTTPException, ValueError):
            time.sleep(0.1)
        else:
            return answer
        finally:
            connection.close()
    raise StartError(
        f"the web server did not answer within {LOADING_SECONDS:.0f} s: the lines above may say "
        "why; DYNAMITE_DEVICE=cpu does without a GPU"
    )


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the work like Ctrl-C does, and nothing more of the kind after."""
    is_ending = False

    def stop(number: int, frame: object) -> None:  # noqa: ARG001
        nonlocal is_ending
        is_ending = True
        for one in STOPPING:  # `make` and `timeout` send it twice: the second must not cut in
            signal.signal(one, signal.SIG_IGN)
        raise StopRequested

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        # A late second one would end the process before it has said why.
        for number, handler in ({} if is_ending else before).items():
            signal.signal(number, handler)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Let nobody interrupt the stopping: a second Ctrl-C must not leave children behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
