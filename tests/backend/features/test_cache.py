"""One encode per image, hits in the nearest tier, and no failure caused by the cache."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from backend.features.cache import FeatureCache
from backend.features.key import Key
from tests.backend.features.conftest import Encoder, Fake, Open

WAIT = 30  # seconds no test ever takes


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work`` in threads that start at the same moment; return results or errors."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(index: int) -> None:
        barrier.wait(WAIT)
        try:
            results[index] = work(index)
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    return results


def hits(cache: FeatureCache[Fake]) -> dict[str, int]:
    return {tier.name: tier.hits for tier in cache.tiers()} | {"miss": cache.misses}


def entries(cache: FeatureCache[Fake]) -> dict[str, int]:
    return {tier.name: tier.entries for tier in cache.tiers()}


def test_an_image_is_encoded_once(open_cache: Open) -> None:
    cache, encode = open_cache(), Encoder()
    first = cache.get("a", "v1", lambda: encode("a"))
    assert cache.get("a", "v1", lambda: encode("a")) is first
    assert encode.done == ["a"]
    assert hits(cache) == {"memory": 1, "disk": 0, "miss": 1}


def test_everything_that_shapes_features_is_in_the_key(open_cache: Open) -> None:
    cache, encode = open_cache(), Encoder()
    for digest, version in [("a", "v1"), ("b", "v1"), ("a", "v2")]:
        name = f"{digest} {version}"
        assert cache.get(digest, version, lambda name=name: encode(name)).name == name
    assert len(encode.done) == 3


def test_names_of_keys_are_told_apart() -> None:
    keys = [Key("a", "b"), Key("ab", ""), Key("", "ab"), Key("b", "a"), Key("a", "v1/../x")]
    assert len({key.file_name for key in keys}) == len(keys)


def test_however_many_ask_at_once_one_encodes(open_cache: Open) -> None:
    cache, encode = open_cache(), Encoder()

    def slow(name: str) -> Fake:
        time.sleep(0.05)
        return encode(name)

    found = together(32, lambda i: cache.get(f"{i % 2}", "v", lambda: slow(f"{i % 2}")))
    assert sorted(encode.done) == ["0", "1"]
    assert [value.name for value in found] == [f"{i % 2}" for i in range(32)]


def test_different_images_do_not_wait_for_each_other(open_cache: Open) -> None:
    cache, meet = open_cache(), threading.Barrier(2)

    def encode(name: str) -> Fake:
        meet.wait(WAIT)  # passes only if both are encoding
        return Fake(name)

    found = together(2, lambda i: cache.get(str(i), "v", lambda: encode(str(i))))
    assert [value.name for value in found] == ["0", "1"]


class _FailedError(Exception):
    pass


class _SupersededError(Exception):
    pass


def waits(thread: threading.Thread) -> bool:
    """Return whether a thread waits for the result of another one."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code is Future.result.__code__:
            return True
        frame = frame.f_back
    return False


class Crowd:
    """A leader that computes and followers that wait; holds the leader until all wait."""

    def __init__(self, cache: FeatureCache[Fake], fate: BaseException) -> None:
        self.cache = cache
        self.fate = fate
        self.encode = Encoder()
        self.results: dict[int, Any] = {}
        self.leading, self.go_on = threading.Event(), threading.Event()

    def lead(self) -> Fake:
        self.leading.set()
        self.go_on.wait(WAIT)
        raise self.fate

    def ask(self, index: int, compute: Callable[[], Fake]) -> None:
        try:
            self.results[index] = self.cache.get("a", "v", compute)
        except BaseException as error:
            self.results[index] = error

    def run(self, followers: int) -> None:
        leader = threading.Thread(target=self.ask, args=(0, self.lead))
        leader.start()
        self.leading.wait(WAIT)
        crowd = [
            threading.Thread(target=self.ask, args=(index, lambda: self.encode("a")))
            for index in range(1, followers + 1)
        ]
        for thread in crowd:
            thread.start()
        while not all(map(waits, crowd)):
            time.sleep(0.005)
        self.go_on.set()
        for thread in (leader, *crowd):
            thread.join(WAIT)


def test_those_who_wait_share_the_error_and_the_next_tries_again(open_cache: Open) -> None:
    cache = open_cache()
    crowd = Crowd(cache, _FailedError("no memory"))
    crowd.run(5)
    assert [result is crowd.fate for result in crowd.results.values()] == [True] * 6
    assert crowd.encode.done == []
    assert cache.get("a", "v", lambda: crowd.encode("a")).name == "a"


@pytest.mark.parametrize("fate", [_SupersededError(), KeyboardInterrupt(), SystemExit()])
def test_one_who_is_cancelled_takes_nobody_along(open_cache: Open, fate: BaseException) -> None:
    cache = open_cache(cancellations=(_SupersededError,))
    crowd = Crowd(cache, fate)
    crowd.run(5)
    assert crowd.results.pop(0) is fate
    assert [result.name for result in crowd.results.values()] == ["a"] * 5
    assert crowd.encode.done == ["a"], "one of those who waited took over"


def test_the_disk_survives_a_restart(open_cache: Open) -> None:
    encode = Encoder()
    before = open_cache()
    before.get("a", "v", lambda: encode("a"))
    before.close()
    after = open_cache()
    assert after.get("a", "v", lambda: encode("a")).name == "a"
    assert encode.done == ["a"]
    assert hits(after) == {"memory": 0, "disk": 1, "miss": 0}
    after.get("a", "v", lambda: encode("a"))
    assert hits(after)["memory"] == 1, "from then on it is in memory"


def test_what_leaves_memory_comes_back_from_disk(open_cache: Open) -> None:
    cache, encode = open_cache(memory_bytes=2500), Encoder()
    for name in "abc":
        cache.get(name, "v", lambda name=name: encode(name))
    cache.flush()
    assert entries(cache) == {"memory": 2, "disk": 3}
    assert cache.get("a", "v", lambda: encode("a")).name == "a"
    assert encode.done == ["a", "b", "c"]


def test_what_leaves_the_device_goes_to_memory_and_back(open_cache: Open) -> None:
    cache = open_cache(device="cuda", device_bytes=1500, memory_bytes=10_000, disk_bytes=0)
    encode = Encoder()
    for name in "ab":
        cache.get(name, "v", lambda name=name: encode(name, "cuda"))
    assert entries(cache) == {"device": 1, "memory": 1, "disk": 0}
    for name in "aab":
        assert cache.get(name, "v", lambda name=name: encode(name, "cuda")).device == "cuda"
    assert encode.done == ["a", "b"]
    assert hits(cache) == {"device": 1, "memory": 2, "disk": 0, "miss": 2}
    assert entries(cache) == {"device": 1, "memory": 1, "disk": 0}


def test_what_is_too_large_for_the_device_is_lent_to_it(open_cache: Open) -> None:
    cache = open_cache(device="cuda", device_bytes=500, disk_bytes=0)
    encode = Encoder()
    for _ in range(3):
        assert cache.get("a", "v", lambda: encode("a", "cuda")).device == "cuda"
    assert encode.done == ["a"]
    assert entries(cache) == {"device": 0, "memory": 1, "disk": 0}


def test_what_no_tier_can_hold_is_made_each_time(open_cache: Open) -> None:
    cache, encode = open_cache(memory_bytes=10, disk_bytes=10), Encoder()
    for _ in range(2):
        assert cache.get("a", "v", lambda: encode("a")).name == "a"
    assert encode.done == ["a", "a"]


def test_a_full_memory_when_leaving_the_device_is_no_error(open_cache: Open) -> None:
    class Stuck(Fake):
        def to(self, device: str) -> "Fake":
            raise RuntimeError("out of memory")

    cache = open_cache(device="cuda", device_bytes=1500)
    cache.get("a", "v", lambda: Stuck("a"))
    assert cache.get("b", "v", lambda: Fake("b")).name == "b"


def test_many_threads_many_images_little_room(open_cache: Open) -> None:
    """Under load every value is right and no tier exceeds its budget."""
    cache = open_cache(device="cuda", device_bytes=2500, memory_bytes=2500, disk_bytes=200_000)
    wrong: list[Any] = []

    def work(index: int) -> None:
        for step in range(60):
            name, version = str((index * 7 + step) % 11), f"v{step % 2}"
            made = Fake(f"{name} {version}", 1000, "cuda")
            value = cache.get(name, version, lambda made=made: made)
            if (value.name, value.device) != (f"{name} {version}", "cuda"):
                wrong.append(value)
            if any(tier.used > tier.budget for tier in cache.tiers()):
                wrong.append(cache.tiers())

    assert together(8, work) == [None] * 8
    assert not wrong


def test_a_disk_that_hangs_delays_nobody(open_cache: Open) -> None:
    stuck = threading.Event()

    class Slow(Fake):
        def to_bytes(self, *, half: bool) -> bytes:
            stuck.wait(WAIT)
            return super().to_bytes(half=half)

    cache = open_cache(memory_bytes=10**6)
    for index in range(20):
        cache.get(str(index), "v", lambda index=index: Slow(str(index)))
    answered = entries(cache)
    stuck.set()
    assert answered == {"memory": 20, "disk": 0}, "all while the first one was being written"
    cache.flush()
    assert 1 <= entries(cache)["disk"] < 20


def test_what_one_process_has_encoded_another_one_loads(open_cache: Open) -> None:
    encode = Encoder()
    first, second = open_cache(), open_cache()
    first.get("a", "v", lambda: encode("a"))
    first.flush()
    assert second.get("a", "v", lambda: encode("a")).name == "a"
    second.get("b", "v", lambda: encode("b"))
    second.flush()
    assert first.get("b", "v", lambda: encode("b")).name == "b"
    assert encode.done == ["a", "b"]
    assert hits(first)["disk"] == hits(second)["disk"] == 1


def test_a_disk_that_hangs_is_waited_for_once(
    open_cache: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encode, stuck = Encoder(), threading.Event()
    before = open_cache()
    for name in "abc":
        before.get(name, "v", lambda name=name: encode(name))
    before.close()
    read = Path.read_bytes
    reads: list[Path] = []

    def hang(path: Path) -> bytes:
        reads.append(path)
        stuck.wait(WAIT)
        return read(path)

    cache = open_cache()
    cache.flush()
    monkeypatch.setattr(Path, "read_bytes", hang)
    for name in "abc":
        assert cache.get(name, "v", lambda name=name: encode(name)).name == name
    stuck.set()
    assert encode.done == [*"abc", *"abc"]
    assert len(reads) == 1
    assert caplog.text.count("takes longer than 0.5 s") == 1
    assert [tier.is_off for tier in cache.tiers()] == [False, True]


def test_the_real_features_go_to_disk_and_back(tmp_path: Path) -> None:
    """The real ``ImageFeatures`` fit the interface that the fakes of the other tests have."""
    import torch

    from dynamite.network.model import FeatureMaps
    from dynamite.predict.features import ImageFeatures

    maps = FeatureMaps(
        mask_features=torch.rand(1, 8, 4, 4),
        levels=tuple(torch.rand(1, 8, side, side) for side in (1, 2, 4)),
        pooled=tuple(torch.rand(1, 8, side, side) for side in (1, 2, 4)),
        memory=((torch.rand(2, 3), torch.rand(2, 3)),),
    )
    features = ImageFeatures(maps, (16, 16), (16, 16), "v")

    def open_it() -> FeatureCache[ImageFeatures]:
        folder = tmp_path / "features"
        return FeatureCache(
            ImageFeatures.from_bytes, folder=folder, memory_bytes=10**6, disk_bytes=10**6
        )

    cache = open_it()
    assert cache.get("a", "v", lambda: features) is features
    cache.close()
    again = open_it()
    found = again.get("a", "v", pytest.fail)
    again.close()
    torch.testing.assert_close(found.maps.mask_features, maps.mask_features, atol=1e-3, rtol=0)
    assert found.maps.mask_features.dtype == torch.float32
    (file,) = (tmp_path / "features").iterdir()
    assert file.stat().st_size < features.nbytes * 0.5 + 3000
    assert found.image_size == (16, 16)
