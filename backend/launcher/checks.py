"""What can be known to fail before anything is started, each as one clear sentence."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.settings import Settings, variable
from dynamite.errors import DynamiteError


class StartError(DynamiteError):
    """The backend cannot start as configured."""


def check(settings: Settings) -> None:
    """Raise ``StartError`` for a taken port, a missing checkpoint or an unwritable folder."""
    check_folder(settings.state_dir)
    if settings.checkpoint is not None and not settings.checkpoint.is_file():
        raise StartError(
            f"the checkpoint {settings.checkpoint} does not exist; "
            f"{variable('checkpoint')} names a file, or is left empty for the shipped one"
        )
    check_port(settings.host, settings.port)


def check_port(host: str, port: int, options: str = f"--port or {variable('port')}") -> None:
    """Raise ``StartError`` unless this process could listen there; ``options`` name the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}; "
                f"{remedy(error, options)}"
            ) from None


def remedy(error: OSError, options: str) -> str:
    """What to do about an address that cannot be listened on."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"choose an address of this machine with --host or {variable('host')}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"low ports are for root: choose one from 1024 on with {options}"
    return f"stop what uses it or choose another port with {options}"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep every other embedded queue server out of a state folder: both would write its file.

    Raises:
        StartError: there is one already.
    """
    taken = (
        f"another `dynamite serve` runs in the state folder {folder}; stop it, choose another "
        f"folder with {variable('state_dir')}, or let both use one queue server with REDIS_URL"
    )
    with locked(folder / "serve.lock", taken):
        yield


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Hold a file's lock; the words say what it means that another process holds it.

    Raises:
        StartError: one does, or the file cannot be written.
    """
    try:
        file = path.open("a")
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}; remove it") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(taken) from None
        except OSError:  # a share without locks: there is nothing to tell by
            pass
        yield


def check_folder(folder: Path) -> None:
    """Raise ``StartError`` unless files can be made in the folder; makes it if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"the state folder {folder} cannot be written: {(error.strerror or '').lower()}; "
            f"choose another with {variable('state_dir')}"
        ) from None
