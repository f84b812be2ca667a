"""Checks before anything is started; each failure is one clear sentence."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.launcher.private_files import is_everybodys, make_private
from backend.settings import Settings, variable
from dynamite.errors import DynamiteError


class StartError(DynamiteError):
    """The backend cannot start as configured."""


def check_start(settings: Settings) -> None:
    """Check the password, the port, the checkpoint and the state folder.

    Raises:
        StartError: Other machines could connect without a password, the port is taken, the
            checkpoint is missing or the folder is not writable.
    """
    check_password(settings)
    check_folder(settings.state_dir)
    if settings.checkpoint is not None and not settings.checkpoint.is_file():
        raise StartError(
            f"the checkpoint {settings.checkpoint} does not exist; "
            f"set {variable('checkpoint')} to a file, or leave it empty for the shipped weights"
        )
    check_port(settings.host, settings.port)


def check_password(settings: Settings) -> None:
    """Check that other machines need a password.

    Raises:
        StartError: They could connect without.
    """
    if not settings.is_loopback and settings.basic_auth_user is None:
        raise StartError(
            f"other machines could connect to {settings.host} without a password: set "
            f"{variable('basic_auth_user')} and {variable('basic_auth_password')}, or listen on "
            f"this machine only with {variable('host')}=127.0.0.1"
        )


def check_port(host: str, port: int, options: str = f"--port or {variable('port')}") -> None:
    """Check that this process could listen on a port.

    Raises:
        StartError: It could not; the message names ``options`` as the way to choose another port.
    """
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
    """Return what to do about an address that cannot be listened on."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"choose an address of this machine with --host or {variable('host')}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"ports below 1024 are reserved for root: choose a higher one with {options}"
    return f"stop the process that uses it or choose another port with {options}"


@contextmanager
def lock_state_folder(folder: Path) -> Iterator[None]:
    """Lock a state folder: two launchers would write the same files, the queue's among them.

    Raises:
        StartError: Another process holds the lock.
    """
    taken = (
        f"another `dynamite serve` runs in the state folder {folder}; stop it, or choose another "
        f"folder with {variable('state_dir')}"
    )
    with locked(folder / "serve.lock", taken):
        yield


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Lock a file for the duration of the block; make it if it is missing.

    Raises:
        StartError: Another process holds the lock (with the message ``taken``), or the file is not
            writable.
    """
    try:
        file = path.open("a")
    except OSError as error:
        raise StartError(f"cannot write {path}: {error.strerror}; remove it") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(taken) from None
        except OSError:  # a network share without locks: go on unlocked
            pass
        yield


def check_folder(folder: Path) -> None:
    """Check that files can be written to a folder, by us only; make it if it is missing.

    Raises:
        StartError: We cannot, or everybody can.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
        if is_everybodys(folder):
            raise StartError(
                f"all users of this machine can write to the state folder {folder}, and so replace "
                f"what lies there: choose another, such as {folder / 'dynamite'}, with "
                f"{variable('state_dir')}"
            )
        make_private(folder)
    except OSError as error:
        raise StartError(
            f"the state folder {folder} is not writable: {(error.strerror or '').lower()}; "
            f"choose another with {variable('state_dir')}"
        ) from None
