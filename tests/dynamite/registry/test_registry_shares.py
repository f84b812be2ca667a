"""A registry on a share that vanishes, returns, or reports wrong results."""

import errno
import os
from pathlib import Path

import pytest

from dynamite.registry import Description, MissingError, Registry, RegistryError, StaleError
from tests.dynamite.registry.publishing import add, promote


def test_a_share_that_is_gone_is_an_error_not_an_empty_registry(registry, tmp_path):
    registry.folder.parent.rename(tmp_path / "away")
    with pytest.raises(RegistryError, match="is it mounted"):
        registry.current()
    with pytest.raises(RegistryError):
        registry.begin("test")
    assert not registry.folder.parent.exists()  # nothing is written at the mount point


def test_nothing_is_written_below_the_mount_point_of_a_share_that_is_gone(
    registry, files, tmp_path
):
    (a,) = add(registry, files, "a")
    token = registry.begin("training")
    registry.folder.parent.rename(tmp_path / "away")
    registry.folder.parent.mkdir()  # an unmounted share leaves an empty folder
    with pytest.raises(RegistryError, match="not mounted"):
        registry.add(files["b"][0], Description(), token=token)
    with pytest.raises(RegistryError, match="not mounted"):
        promote(registry, None, token=token)
    with pytest.raises(RegistryError, match="is the share mounted") as away:
        registry.get(a)
    assert not isinstance(away.value, MissingError)
    assert list(registry.folder.parent.iterdir()) == []
    registry.folder.parent.rmdir()
    (tmp_path / "away").rename(registry.folder.parent)
    with pytest.raises(MissingError):
        registry.get("lite-00000000")
    assert promote(registry, a, token=token).version == a


def test_weights_that_may_not_be_read_are_an_error_of_ours(registry, files, monkeypatch):
    (a,) = add(registry, files, "a")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("dynamite.registry.version.digest", refuse)
    with pytest.raises(RegistryError, match="Permission denied"):
        registry.get(a).verify()


def test_a_share_that_says_of_a_new_entry_that_it_is_there_already_is_not_another_holder(
    registry, monkeypatch
):
    """NFS repeats a request whose answer was lost, and reports the result of the second one."""
    link = os.link

    def twice(source, target):
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    token = registry.begin("first")
    assert registry.current() == token
    monkeypatch.setattr(os, "link", link)
    with pytest.raises(StaleError):
        Registry(registry.folder)._log.append(token)


def test_a_stale_handle_of_the_share_is_an_error_of_ours(registry, files, monkeypatch):
    (a,) = add(registry, files, "a")
    version = registry.get(a)

    def stale(path):
        raise OSError(errno.ESTALE, "Stale file handle", str(path))

    monkeypatch.setattr(Path, "is_file", stale)
    with pytest.raises(RegistryError, match="Stale file handle"):
        version.verify()


def test_weights_whose_share_goes_before_they_are_copied_are_away_not_damaged(
    registry, files, tmp_path
):
    (a,) = add(registry, files, "a")
    version = registry.get(a)
    registry.folder.parent.rename(tmp_path / "away")
    with pytest.raises(RegistryError, match="No such file"):
        version.copy_weights(tmp_path / "copy.safetensors")
    (tmp_path / "away").rename(registry.folder.parent)
    version.copy_weights(tmp_path / "copy.safetensors")
