"""``dynamite serve``: starts and stops queue server, workers and web server together."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any

from backend.launcher.banner import banner, banner_of_several, token_verdict
from backend.launcher.children import STOP_SECONDS, Child, Supervisor
from backend.launcher.devices import one_for_each
from backend.launcher.environment import model_environment
from backend.launcher.preflight import StartError, check_start, lock_state_folder
from backend.launcher.private_files import private_files
from backend.launcher.valkey import valkey_child, wait_until_ready
from backend.settings import Settings, variable

LOADING_SECONDS = 300.0

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TerminationSignal(BaseException):
    """SIGTERM or SIGHUP arrived."""


def serve(
    settings: Settings,
    tell: Callable[[str], Any] = print,
    *,
    with_worker: bool = True,
    devices: Sequence[str] = (),
) -> None:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP.

    ``devices``: one web server for each of these; one on the device of the settings if empty.

    Raises:
        StartError: The backend cannot start.
    """
    with started(settings, tell, with_worker=with_worker, devices=devices) as (supervisor, health):
        version = health["model_version"]
        if devices:
            servers = one_for_each(settings, devices)
            tell(banner_of_several(servers, version, with_worker=with_worker))
        else:
            verdict = token_verdict(settings)
            tell(banner(settings, version, health["device"], verdict, with_worker=with_worker))
        supervisor.watch(tell)


@contextmanager
def started(
    settings: Settings,
    tell: Callable[[str], Any] = print,
    *,
    with_worker: bool = True,
    devices: Sequence[str] = (),
) -> Iterator[tuple[Supervisor, dict[str, Any]]]:
    """Start everything, wait until the web servers answer, and stop everything after the block.

    Ctrl-C, SIGTERM and SIGHUP end the block without an exception.

    Yields:
        The supervisor, and a web server's response to /health.

    Raises:
        StartError: The backend cannot start, or was stopped while starting.
    """
    supervisor = Supervisor()
    health = None
    servers = one_for_each(settings, devices) if devices else [settings]
    with private_files(), locked_state(servers), stopped_by_signals():
        try:
            webs = start(servers, supervisor, with_worker=with_worker)
            answers = [wait_for_web(own, web) for own, web in zip(servers, webs, strict=True)]
            health = answers[0]
            yield supervisor, health
        except (TerminationSignal, KeyboardInterrupt):
            tell("Stopping.")
            if health is None:
                raise StartError("stopped before the backend had started") from None
        finally:
            with signals_ignored():
                supervisor.stop()


@contextmanager
def locked_state(servers: Sequence[Settings]) -> Iterator[None]:
    """Check that the web servers can start, and lock their state folder.

    Raises:
        StartError: They cannot, or another launcher runs in the folder.
    """
    for settings in servers:
        check_start(settings)
    with lock_state_folder(servers[0].state_dir):
        yield


def start(servers: Sequence[Settings], supervisor: Supervisor, *, with_worker: bool) -> list[Child]:
    """Start the queue server (unless one is configured), the workers and the web servers.

    Returns:
        The web servers, which started last.
    """
    settings = servers[0]
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
    return [supervisor.add(web_child(one, is_alone=len(servers) == 1)) for one in servers]


def web_child(settings: Settings, *, is_alone: bool) -> Child:
    """Return a web server; its environment names its device, its port and its threads."""
    told = {
        variable("device"): settings.device,
        variable("port"): str(settings.port),
        variable("torch_threads"): str(settings.torch_threads),
    }
    where = "" if is_alone else f" on {settings.device}, port {settings.port},"
    return Child(
        f"web server{where}",
        [sys.executable, "-m", "backend.launcher.web"],
        model_environment(settings.torch_threads) | told,
        stop_seconds=STOP_SECONDS + settings.drain_seconds,
        group="web",
    )


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
