"""Each tier by itself: budget, eviction order, and a failing disk."""

import errno
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.features.disk import ABANDONED_SECONDS, HEADER_BYTES, DiskTier
from backend.features.key import Key
from backend.features.memory import MemoryTier
from tests.backend.features.conftest import Fake

names = st.sampled_from("abcdefgh")
sizes = st.integers(0, 400)


def key(name: str) -> Key:
    return Key(name, "v")


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


class TestMemory:
    @settings(deadline=None, max_examples=50)
    @given(
        budget=st.integers(0, 1500),
        steps=st.lists(st.tuples(st.sampled_from(["put", "get", "remove"]), names, sizes)),
    )
    def test_the_budget_holds_and_the_least_used_leaves(
        self, budget: int, steps: list[tuple[str, str, int]]
    ) -> None:
        tier: MemoryTier[Fake] = MemoryTier(budget)
        model: dict[str, int] = {}  # in the order of use
        for what, name, size in steps:
            if what == "put":
                leaving = [one.name for _, one in tier.put(key(name), Fake(name, size))]
                if size > budget:
                    assert leaving == [name]
                    continue
                model.pop(name, None)
                expected = []
                while sum(model.values()) + size > budget:
                    expected.append(next(iter(model)))
                    del model[expected[-1]]
                model[name] = size
                assert leaving == expected
            elif what == "get":
                found = tier.get(key(name))
                assert (found.nbytes if found else None) == model.get(name)
                if name in model:
                    model[name] = model.pop(name)
            else:
                tier.remove(key(name))
                model.pop(name, None)
            assert tier.used == sum(model.values()) <= budget
            assert len(tier) == len(model)

    def test_a_larger_value_of_the_same_key_takes_its_place(self) -> None:
        tier: MemoryTier[Fake] = MemoryTier(1000)
        tier.put(key("a"), Fake("a", 600))
        assert tier.put(key("a"), Fake("a", 900)) == []
        assert (len(tier), tier.used) == (1, 900)


def open_disk(folder: Path, budget: int = 10**6) -> DiskTier[Fake]:
    return DiskTier(folder, budget, Fake.load)


class TestDisk:
    @settings(deadline=None, max_examples=20)
    @given(
        budget=st.integers(0, 4 * HEADER_BYTES),
        steps=st.lists(st.tuples(names, st.integers(0, HEADER_BYTES)), max_size=12),
    )
    def test_the_budget_holds(
        self, tmp_path_factory: pytest.TempPathFactory, budget: int, steps: list[tuple[str, int]]
    ) -> None:
        folder = tmp_path_factory.mktemp("disk")
        tier = open_disk(folder, budget)
        for name, size in steps:
            tier.put(key(name), Fake(name, size))
            assert on_disk(folder) == tier.used <= budget
            found = tier.get(key(name))
            assert (found is not None) == (size + HEADER_BYTES <= budget)
        again = open_disk(folder, budget // 2)
        assert on_disk(folder) == again.used <= budget // 2

    def test_the_least_used_leaves_first_also_after_a_restart(self, tmp_path: Path) -> None:
        budget = 3 * HEADER_BYTES + 300
        tier = open_disk(tmp_path, budget)
        for name in "abc":
            tier.put(key(name), Fake(name, 10))
        for path in tmp_path.iterdir():
            os.utime(path, (1000, 1000))
        assert tier.get(key("a"))
        tier = open_disk(tmp_path, 20)
        assert tier.get(key("a"))
        assert len(tier) == 2 and tier.used == 20

    def test_a_value_too_large_to_keep_takes_the_old_one_of_its_key_away(
        self, tmp_path: Path
    ) -> None:
        tier = open_disk(tmp_path, HEADER_BYTES)
        tier.put(key("a"), Fake("a", 0))
        tier.put(key("a"), Fake("a", 1))
        assert tier.get(key("a")) is None
        assert (len(tier), tier.used, on_disk(tmp_path)) == (0, 0, 0)

    def test_a_budget_of_nothing_writes_nothing(self, tmp_path: Path) -> None:
        tier = open_disk(tmp_path, 0)
        tier.put(key("a"), Fake("a", 0))
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("damage", ["cut", "flip", "empty", "grow"])
    def test_a_damaged_file_is_a_miss_and_removed(
        self, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        open_disk(tmp_path).put(key("a"), Fake("a", 500))
        tier = open_disk(tmp_path)
        (path,) = tmp_path.iterdir()
        data = path.read_bytes()
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        path.write_bytes(
            {"cut": data[:middle], "flip": flipped, "empty": b"", "grow": data + b"x"}[damage]
        )
        assert tier.get(key("a")) is None
        assert not path.exists()
        assert (len(tier), tier.used) == (0, 0)
        assert "recomputed" in caplog.text
        tier.put(key("a"), Fake("a", 500))
        assert tier.get(key("a")) == Fake("a", 500)

    def test_a_file_its_loader_does_not_understand_is_removed(self, tmp_path: Path) -> None:
        open_disk(tmp_path).put(key("a"), Fake("a"))

        def load(path: Path) -> Fake:
            raise KeyError("mask_features")

        assert DiskTier(tmp_path, 10**6, load).get(key("a")) is None
        assert not list(tmp_path.iterdir())

    def test_a_file_that_somebody_removed_is_a_miss(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        tier = open_disk(tmp_path)
        tier.put(key("a"), Fake("a"))
        next(tmp_path.iterdir()).unlink()
        assert tier.get(key("a")) is None
        assert tier.used == 0
        assert not caplog.text

    def test_a_file_removed_before_it_is_loaded_is_a_miss(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        open_disk(tmp_path).put(key("a"), Fake("a"))

        def load(path: Path) -> Fake:
            path.unlink()
            try:
                return Fake.load(path)
            except OSError as error:  # as that of the real features does
                raise ValueError("no features") from error

        assert DiskTier(tmp_path, 10**6, load).get(key("a")) is None
        assert not caplog.text

    def test_a_disk_that_fails_whatever_it_is_asked_is_a_miss(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tier = open_disk(tmp_path)
        tier.put(key("a"), Fake("a"))

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.ESTALE, "Stale file handle")

        with monkeypatch.context() as patch:
            for what in ("open", "stat", "touch", "unlink"):
                patch.setattr(Path, what, fail)
            assert tier.get(key("a")) is None
        assert (len(tier), tier.used) == (0, 0)
        assert "Stale file handle" in caplog.text

    def test_a_full_disk_switches_the_tier_off_with_one_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Large(Fake):
            def save(self, path: Path) -> None:
                path.write_bytes(b"half of it")
                raise OSError(errno.ENOSPC, "No space left on device")

        tier = open_disk(tmp_path)
        tier.put(key("a"), Fake("a"))
        for name in "bcd":
            tier.put(key(name), Large(name))
        assert tier.is_off
        assert caplog.text.count("No space left on device") == 1
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert tier.get(key("a")) == Fake("a"), "what is there can still be read"
        assert on_disk(tmp_path) == tier.used == 1000
        assert not open_disk(tmp_path).is_off

    def test_a_folder_that_cannot_be_is_no_error(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        tier = open_disk(tmp_path / "file" / "features")
        tier.put(key("a"), Fake("a"))
        assert tier.get(key("a")) is None
        assert "not kept on disk" in caplog.text

    def test_half_written_and_foreign_files(self, tmp_path: Path) -> None:
        """Old partial files, left by a killed process, are removed."""
        old, young, foreign = (tmp_path / n for n in (".a.part", ".b.part", "notes.safetensors"))
        for path in (old, young, foreign):
            path.write_text("half")
        os.utime(old, (0, old.stat().st_mtime - ABANDONED_SECONDS - 9))
        tier = open_disk(tmp_path, 1)
        assert (len(tier), tier.used) == (0, 0)
        assert not old.exists()
        assert young.exists()
        assert foreign.exists()

    def test_nothing_half_written_is_ever_read(self, tmp_path: Path) -> None:
        class Watched(Fake):
            def save(self, path: Path) -> None:
                super().save(path)
                assert open_disk(tmp_path).get(key("a")) is None

        tier = open_disk(tmp_path)
        tier.put(key("a"), Watched("a"))
        assert not tier.is_off
        assert open_disk(tmp_path).get(key("a")) == Fake("a")
