"""What is checked before anything starts: one sentence for each fault."""

import errno
import socket
import stat

import pytest

from backend.launcher.preflight import (
    StartError,
    check_password,
    check_start,
    remedy,
)

PASSWORD = {"basic_auth_user": "ls", "basic_auth_password": "a-password"}


def test_a_taken_port_is_one_sentence(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{port}: .*in use"):
            check_start(settings(port=port))


def test_a_host_that_is_none_of_ours_is_not_blamed_on_the_port(settings):
    with pytest.raises(StartError, match=r"cannot listen on .*; choose an address .* --host or"):
        check_start(settings(**PASSWORD, host="192.0.2.1"))
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert remedy(unknown, "--port").startswith("choose an address of this machine with --host")


def test_what_to_do_about_a_port_is_said_by_what_is_wrong_with_it():
    denied = PermissionError(errno.EACCES, "Permission denied")
    assert (
        remedy(denied, "--port")
        == "ports below 1024 are reserved for root: choose a higher one with --port"
    )
    taken = OSError(errno.EADDRINUSE, "Address already in use")
    assert (
        remedy(taken, "--port")
        == "stop the process that uses it or choose another port with --port"
    )


def test_a_missing_checkpoint_is_one_sentence(settings, tmp_path):
    with pytest.raises(StartError, match=r"nothing\.safetensors does not exist"):
        check_start(settings(checkpoint=tmp_path / "nothing.safetensors"))


@pytest.mark.security
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "labels.example.com"])
def test_other_machines_need_a_password(settings, host):
    with pytest.raises(StartError, match=r"set DYNAMITE_BASIC_AUTH_USER and .*PASSWORD, or"):
        check_start(settings(host=host))
    with pytest.raises(StartError, match="without a password"):
        check_start(settings(host=host, webhook_secret="a-long-secret-word"))
    check_password(settings(host=host, basic_auth_user="ls", basic_auth_password="word"))
    for here in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        check_password(settings(host=here))


def test_an_unwritable_state_folder_is_one_sentence(settings, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"state folder .*file/state is not writable"):
        check_start(settings(state_dir=tmp_path / "file" / "state"))
    check_start(settings(state_dir=tmp_path / "new" / "state"))


@pytest.mark.security
def test_the_state_folder_becomes_this_users_alone(settings, tmp_path):
    """It holds what annotators accepted, and their images."""
    for name in ("new", "old"):
        folder = tmp_path / name
        if name == "old":
            folder.mkdir()
            folder.chmod(0o775)
        check_start(settings(state_dir=folder))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.security
def test_a_state_folder_that_all_users_share_is_refused(settings, tmp_path):
    shared = tmp_path / "like-tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(StartError, match=r"all users .* choose another, such as .*tmp/dynamite"):
        check_start(settings(state_dir=shared))
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
