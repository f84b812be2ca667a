"""Each tier by itself: budget, eviction order, and a failing disk."""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.features.disk import ABANDONED_SECONDS, LOOK_SECONDS, RETRY_SECONDS, DiskTier
from backend.features.key import Key
from backend.features.memory import MemoryTier
from backend.features.sealed import SEAL_BYTES
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


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def open_disk(folder: Path, budget: int = 10**6, **how: Any) -> DiskTier[Fake]:
    tier = DiskTier(folder, budget, Fake.from_bytes, **how)
    tier.open()
    return tier


def only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


class TestDisk:
    @settings(deadline=None, max_examples=20)
    @given(
        budget=st.integers(0, 1500),
        steps=st.lists(st.tuples(names, st.integers(0, 700)), max_size=12),
    )
    def test_the_budget_holds(
        self, tmp_path_factory: pytest.TempPathFactory, budget: int, steps: list[tuple[str, int]]
    ) -> None:
        folder = tmp_path_factory.mktemp("disk")
        tier = open_disk(folder, budget)
        for name, size in steps:
            value = Fake(name, max(size, 1))
            there = tier.get(key(name))
            tier.put(key(name), value)
            assert on_disk(folder) == tier.used <= budget
            found = tier.get(key(name))
            fits = value.nbytes + SEAL_BYTES <= budget
            assert found == (there or (value if fits else None))
        before = on_disk(folder)
        again = open_disk(folder, budget // 2)
        assert again.used <= budget // 2
        assert on_disk(folder) == (again.used if budget // 2 else before)

    @settings(deadline=None, max_examples=20)
    @given(
        steps=st.lists(st.tuples(st.booleans(), names, st.integers(1, 400)), max_size=25),
        budget=st.integers(500, 1500),
    )
    def test_two_that_share_a_folder_keep_the_budget_and_serve_what_is_right(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        budget: int,
        steps: list[tuple[bool, str, int]],
    ) -> None:
        folder, clock = tmp_path_factory.mktemp("disk"), Clock()
        tiers = [open_disk(folder, budget, clock=clock) for _ in range(2)]
        for which, name, size in steps:
            tiers[which].put(key(name), Fake(name, size))
            clock.now += LOOK_SECONDS  # each sees what the other has written
            assert on_disk(folder) <= budget
            for tier in tiers:
                found = tier.get(key(name))
                assert found is None or found.name == name
            assert tiers[0].get(key(name)) is not None

    def test_the_least_used_leaves_first_also_after_a_restart(self, tmp_path: Path) -> None:
        tier = open_disk(tmp_path, 3 * 14)
        for name in "abc":
            tier.put(key(name), Fake(name, 10))
        for path in tmp_path.iterdir():
            os.utime(path, (1000, 1000))
        assert open_disk(tmp_path).get(key("a"))
        tier = open_disk(tmp_path, 2 * 14)
        assert tier.get(key("a"))
        assert len(tier) == 2
        assert tier.used == 28

    def test_what_another_process_has_written_is_not_written_again(self, tmp_path: Path) -> None:
        class Watched(Fake):
            def to_bytes(self, *, half: bool) -> bytes:
                raise AssertionError

        first, second = open_disk(tmp_path), open_disk(tmp_path)
        first.put(key("a"), Fake("a"))
        os.utime(only(tmp_path), (1000, 1000))
        second.put(key("a"), Watched("a"))
        assert not second.is_off
        assert only(tmp_path).stat().st_mtime > 1000, "it counts as used"

    def test_a_value_too_large_to_keep_is_not_kept(self, tmp_path: Path) -> None:
        tier = open_disk(tmp_path, 100)
        tier.put(key("a"), Fake("a", 97))
        assert tier.get(key("a")) is None
        tier.put(key("a"), Fake("a", 96))
        assert tier.get(key("a"))
        assert (len(tier), tier.used, on_disk(tmp_path)) == (1, 100, 100)

    def test_a_budget_of_nothing_leaves_the_folder_alone(self, tmp_path: Path) -> None:
        open_disk(tmp_path).put(key("a"), Fake("a"))
        tier = open_disk(tmp_path, 0)
        tier.put(key("b"), Fake("b"))
        assert tier.get(key("a")) is None
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("damage", ["cut", "flip", "empty", "grow", "short"])
    def test_a_damaged_file_is_a_miss_and_removed(
        self, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        open_disk(tmp_path).put(key("a"), Fake("a", 500))
        tier = open_disk(tmp_path)
        path = only(tmp_path)
        data = path.read_bytes()
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        cut = {"cut": data[:middle], "empty": b"", "short": b"x"}
        path.write_bytes(({"flip": flipped, "grow": data + b"x"} | cut)[damage])
        assert tier.get(key("a")) is None
        assert not path.exists()
        assert "recomputed" in caplog.text
        tier.put(key("a"), Fake("a", 500))
        assert tier.get(key("a")) == Fake("a", 500)

    def test_a_file_larger_than_the_budget_is_not_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_disk(tmp_path).put(key("a"), Fake("a"))
        path = only(tmp_path)
        os.truncate(path, 2 * 10**6)  # of holes, which cost the disk nothing
        monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
        assert open_disk(tmp_path, 10**6).get(key("a")) is None
        assert not path.exists()

    def test_a_file_its_loader_does_not_understand_is_removed(self, tmp_path: Path) -> None:
        open_disk(tmp_path).put(key("a"), Fake("a"))

        def load(data: bytes) -> Fake:
            raise KeyError("mask_features")

        assert DiskTier(tmp_path, 10**6, load).get(key("a")) is None
        assert not list(tmp_path.iterdir())

    def test_a_file_that_somebody_removed_is_a_miss(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        tier = open_disk(tmp_path)
        tier.put(key("a"), Fake("a"))
        only(tmp_path).unlink()
        assert tier.get(key("a")) is None
        tier.put(key("a"), Fake("a"))
        assert tier.get(key("a")) == Fake("a")
        assert not caplog.text

    def test_a_disk_that_fails_whatever_it_is_asked_is_a_miss(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tier = open_disk(tmp_path)
        tier.put(key("a"), Fake("a"))

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.ESTALE, "Stale file handle")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", fail)
            patch.setattr(Path, "unlink", fail)
            for what in ("utime", "scandir"):
                patch.setattr(os, what, fail)
            assert tier.get(key("a")) is None
            tier.put(key("b"), Fake("b"))
        assert "Stale file handle" in caplog.text
        assert tier.get(key("a")) == Fake("a")

    def test_a_full_disk_is_written_to_again_after_a_while_with_one_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock()
        tier = open_disk(tmp_path, clock=clock)
        tier.put(key("a"), Fake("a"))
        attempts = []

        def full(path: Path, data: bytes) -> None:
            attempts.append(path)
            with path.open("wb") as file:
                file.write(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            for name in "bcd":
                tier.put(key(name), Fake(name))
            assert tier.is_off
            assert len(attempts) == 1
            clock.now += RETRY_SECONDS
            tier.put(key("b"), Fake("b"))
        assert len(attempts) == 2
        assert caplog.text.count("No space left on device") == 1
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert tier.get(key("a")) == Fake("a"), "what is there can still be read"
        assert on_disk(tmp_path) == tier.used == 1000 + SEAL_BYTES
        clock.now += RETRY_SECONDS
        tier.put(key("b"), Fake("b"))
        assert tier.get(key("b")) == Fake("b")
        assert not tier.is_off

    def test_a_folder_that_cannot_be_is_no_error(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        tier = open_disk(tmp_path / "file" / "features")
        tier.put(key("a"), Fake("a"))
        assert tier.get(key("a")) is None
        assert "not kept on disk" in caplog.text

    def test_a_share_that_is_not_mounted_is_not_made(self, tmp_path: Path) -> None:
        clock, share = Clock(), tmp_path / "share"
        tier = open_disk(share, may_make=False, clock=clock)
        tier.put(key("a"), Fake("a"))
        assert not share.exists()
        share.mkdir()
        clock.now += RETRY_SECONDS
        tier.put(key("a"), Fake("a"))
        assert tier.get(key("a")) == Fake("a")

    def test_half_written_and_foreign_files(self, tmp_path: Path) -> None:
        """Old partial files, left by a killed process, are removed."""
        old, young, foreign = (tmp_path / n for n in (".a.part", ".b.part", "notes.features"))
        for path in (old, young, foreign):
            path.write_text("half")
        os.utime(old, (0, old.stat().st_mtime - ABANDONED_SECONDS - 9))
        tier = open_disk(tmp_path, 1)
        assert (len(tier), tier.used) == (0, 0)
        assert not old.exists()
        assert young.exists()
        assert foreign.exists()

    def test_nothing_half_written_is_ever_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write, seen = Path.write_bytes, []

        def watched(path: Path, data: bytes) -> None:
            for part in (data[:100], data):
                write(path, part)
                seen.append(open_disk(tmp_path).get(key("a")))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", watched)
            open_disk(tmp_path).put(key("a"), Fake("a"))
        assert seen == [None, None]
        assert open_disk(tmp_path).get(key("a")) == Fake("a")
