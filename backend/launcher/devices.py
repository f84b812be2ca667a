"""One web server for each device of a machine, and what HAProxy is to be told of them."""

import re
import socket
from collections.abc import Sequence

from backend.launcher.environment import usable_cores
from backend.launcher.preflight import StartError
from backend.settings import Settings

_NUMBER = re.compile(r"\d+")
_DEVICE = re.compile(r"cpu|cuda:\d+")
_LAST_PORT = 65535


def parse_devices(text: str) -> tuple[str, ...]:
    """Return the torch devices of a list: "0,1" is cuda:0 and cuda:1; "cpu,cpu" is allowed.

    Raises:
        StartError: it is no such list, or names a GPU twice.
    """
    names = [name.strip() for name in text.split(",")]
    devices = tuple(f"cuda:{int(name)}" if _NUMBER.fullmatch(name) else name for name in names)
    for name in devices:
        if not _DEVICE.fullmatch(name):
            raise StartError(
                f"--devices is {text!r}: name the devices like 0,1 (GPUs) or cpu,cpu, one for each "
                "web server"
            )
        if name != "cpu" and devices.count(name) > 1:
            raise StartError(
                f"--devices names {name} twice: one web server on a GPU answers several annotators"
            )
    return devices


def one_for_each(settings: Settings, devices: Sequence[str]) -> list[Settings]:
    """Return the settings of a web server on each device: ports in a row, cores shared evenly.

    Raises:
        StartError: there are not so many ports after the first one.
    """
    last = settings.port + len(devices) - 1
    if last > _LAST_PORT:
        raise StartError(
            f"{len(devices)} devices need the ports {settings.port} to {last}: choose a --port up "
            f"to {_LAST_PORT + 1 - len(devices)}"
        )
    threads = settings.torch_threads or max(1, usable_cores() // len(devices))
    return [
        settings.model_copy(
            update={"device": device, "port": settings.port + number, "torch_threads": threads}
        )
        for number, device in enumerate(devices)
    ]


def balancer_lines(servers: Sequence[Settings]) -> list[str]:
    """Return the lines of ``deploy/haproxy.cfg`` that name these web servers."""
    return [
        f"    server backend-{number} {_reached_at(one.host)}:{one.port}"
        for number, one in enumerate(servers, 1)
    ]


def _reached_at(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
