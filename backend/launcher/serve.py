"""``dynamite serve``: starts and stops queue server, workers and web server together."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from http.client import HTTPConnection, HTTPException
from typing import Any

from backend.launcher.banner import banner, token_verdict
from backend.launcher.children import STOP_SECONDS, Child, Supervisor
from backend.launcher.environment import model_environment
from backend.launcher.preflight import StartError, check_start, lock_state_folder
from backend.launcher.private_files import private_files
from backend.launcher.valkey import valkey_child, wait_until_ready
from backend.settings import Settings

LOADING_SECONDS = 300.0

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TerminationSignal(BaseException):
    """SIGTERM or SIGHUP arrived."""


def serve(
    settings: Settings, tell: Callable[[str], Any] = print, *, with_worker: bool = True
) -> None:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP.

    Raises:
        StartError: The backend cannot start.
    """
    with started(settings, tell, with_worker=with_worker) as (supervisor, health):
        version, device = health["model_version"], health["device"]
        verdict = token_verdict(settings)
        tell(banner(settings, version, device, verdict, with_worker=with_worker))
        supervisor.watch(tell)


@contextmanager
def started(
    settings: Settings, tell: Callable[[str], Any] = print, *, with_worker: bool = True
) -> Iterator[tuple[Supervisor, dict[str, Any]]]:
    """Start everything, wait until the web server answers, and stop everything after the block.

    Ctrl-C, SIGTERM and SIGHUP end the block without an exception.

    Yields:
        The supervisor, and the web server's response to /health.

    Raises:
        StartError: The backend cannot start, or was stopped while starting.
    """
    supervisor = Supervisor()
    health = None
    with private_files(), locked_state(settings), stopped_by_signals():
        try:
            web = start(settings, supervisor, with_worker=with_worker)
            health = wait_for_web(settings, web)
            yield supervisor, health
        except (TerminationSignal, KeyboardInterrupt):
            tell("Stopping.")
            if health is None:
                raise StartError("stopped before the backend had started") from None
        finally:
            with signals_ignored():
                supervisor.stop()


@contextmanager
def locked_state(settings: Settings) -> Iterator[None]:
    """Check that the backend can start, and lock its state folder if it has a queue of its own.

    Raises:
        StartError: It cannot, or another backend runs in the folder.
    """
    check_start(settings)
    own_queue = settings.redis_url is None
    with lock_state_folder(settings.state_dir) if own_queue else nullcontext():
        yield


def start(settings: Settings, supervisor: Supervisor, *, with_worker: bool) -> Child:
    """Start the queue server (unless one is configured), the workers and the web server.

    Returns:
        The web server, which started last.
    """
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
        if settings.memory:
            supervisor.add(Child("memory worker", [*worker, "memory"], dict(os.environ)))
    environment = model_environment(settings.torch_threads)
    command = [*python, "backend.launcher.web"]
    patience = STOP_SECONDS + settings.drain_seconds
    return supervisor.add(Child("web server", command, environment, stop_seconds=patience))


def wait_for_web(settings: Settings, web: Child) -> dict[str, Any]:
    """Wait until the web server answers /health, and return its response.

    Raises:
        StartError: It ended, after printing its own message, or did not answer in time.
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
        "why; set DYNAMITE_DEVICE=cpu to run without a GPU"
    )


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn the first SIGTERM or SIGHUP into an exception, and ignore all later stop signals."""
    is_ending = False

    def stop(number: int, frame: object) -> None:  # noqa: ARG001
        nonlocal is_ending
        is_ending = True
        for one in STOP_SIGNALS:  # `make` and `timeout` send it twice
            signal.signal(one, signal.SIG_IGN)
        raise TerminationSignal

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        # While ending, keep ignoring: a second signal would kill the process before its message.
        for number, handler in ({} if is_ending else before).items():
            signal.signal(number, handler)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore stop signals during the block: a second Ctrl-C must not leave children behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
