"""One web server for each device of a machine, and what HAProxy is to be told of them."""

import re
import socket
from collections.abc import Sequence

from backend.launcher.environment import usable_cores
from backend.launcher.preflight import StartError
from backend.settings import Settings

_DEVICE = re.compile(r"cpu|(?:cuda:)?([0-9]{1,3})")
_MOST = 64  # no machine has more GPUs; a slip of the hand must not start a thousand servers
_LAST_PORT = 65535


def parse_devices(text: str) -> tuple[str, ...]:
    """Return the torch devices of a list: "0,1" is cuda:0 and cuda:1; "cpu,cpu" is allowed.

    Raises:
        StartError: it is no such list, names a GPU twice, or has more than 64 devices.
    """
    devices: list[str] = []
    for name in text.split(","):
        found = _DEVICE.fullmatch(name.strip())
        if found is None:
            raise StartError(
                f"--devices is {text[:80]!r}: name the devices like 0,1 (GPUs) or cpu,cpu, one for "
                "each web server"
            )
        device = "cpu" if found[1] is None else f"cuda:{int(found[1])}"
        if device != "cpu" and device in devices:
            raise StartError(
                f"--devices names {device} twice: one web server on a GPU answers several "
                "annotators"
            )
        devices.append(device)
    if len(devices) > _MOST:
        raise StartError(f"--devices names {len(devices)} devices: at most {_MOST}")
    return tuple(devices)


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
