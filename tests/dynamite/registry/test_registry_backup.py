"""A registry is copied whole, whatever changes in it meanwhile."""

import pytest

from dynamite.registry import Registry, backup
from dynamite.registry.backup import copy_registry
from tests.dynamite.registry.publishing import add, promote


@pytest.fixture
def after(monkeypatch):
    """``after(name, what)``: do something once, after a step of the copying."""

    def arrange(name, what):
        step, left = getattr(backup, name), [what]

        def stepping(*arguments):
            result = step(*arguments)
            if left:
                left.pop()()
            return result

        monkeypatch.setattr(backup, name, stepping)

    return arrange


def test_a_current_version_that_is_pruned_amid_the_copying(registry, files, tmp_path, after):
    (first,) = add(registry, files, "a")
    promote(registry, first)

    def change():
        for name in add(registry, files, "b", "c"):
            promote(registry, name)
        assert first in registry.prune(1)

    after("_copy_log", change)
    assert copy_registry(registry.folder, tmp_path / "copy") == []
    copy = Registry(tmp_path / "copy")
    assert copy.current() == registry.current()
    copy.get(copy.current().version).verify()


def test_a_version_that_is_published_amid_the_copying(registry, files, tmp_path, after):
    (first,) = add(registry, files, "a")
    promote(registry, first)
    after("_copy_version", lambda: promote(registry, *add(registry, files, "b")))
    assert copy_registry(registry.folder, tmp_path / "copy") == []
    copy = Registry(tmp_path / "copy")
    copy.get(copy.current().version).verify()


def test_a_current_version_that_is_gone_for_good_is_said(registry, files, tmp_path):
    (first,) = add(registry, files, "a")
    promote(registry, first)
    registry.get(first).folder.rename(tmp_path / "away")
    assert copy_registry(registry.folder, tmp_path / "copy") == [first]
    assert Registry(tmp_path / "copy").current() == registry.current()


def test_a_version_whose_description_cannot_be_read_is_said(registry, files, tmp_path):
    first, second = add(registry, files, "a", "b")
    promote(registry, second)
    (registry.get(first).folder / "version.json").write_text('{"format": 2}')
    assert copy_registry(registry.folder, tmp_path / "copy") == [first]
    assert [version.name for version in Registry(tmp_path / "copy").versions()] == [second]
