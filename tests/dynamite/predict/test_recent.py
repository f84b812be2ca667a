from collections.abc import Sequence

import pytest

from dynamite.predict.recent import Recent


class Computer:
    """Remembers what it was asked for."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = keys
        self.asked: list[bytes] = []

    def __call__(self, positions: Sequence[int]) -> list[str]:
        self.asked += [self.keys[at] for at in positions]
        return [self.keys[at].decode().upper() for at in positions]


def ask(recent: Recent[str], *keys: bytes) -> list[bytes]:
    """Ask for keys, check the values, and return what had to be computed."""
    computer = Computer(keys)
    assert recent.get(keys, computer) == [key.decode().upper() for key in keys]
    return computer.asked


def test_what_was_asked_for_lately_is_not_computed_again() -> None:
    recent: Recent[str] = Recent(2)
    assert ask(recent, b"a", b"b") == [b"a", b"b"]
    assert ask(recent, b"b", b"a") == []
    assert ask(recent, b"c") == [b"c"]  # instead of b, the oldest
    assert ask(recent, b"a", b"b") == [b"b"]


def test_more_than_it_keeps_are_still_answered() -> None:
    recent: Recent[str] = Recent(2)
    assert ask(recent, b"a", b"b", b"c") == [b"a", b"b", b"c"]
    assert ask(recent, b"b", b"c") == []


def test_the_same_key_twice_is_answered_twice() -> None:
    assert Recent[str](2).get([b"a", b"a"], lambda missing: ["A"] * len(missing)) == ["A", "A"]


def test_nothing_asked_nothing_computed() -> None:
    assert ask(Recent[str](2)) == []


def test_a_fault_keeps_what_there_is() -> None:
    recent: Recent[str] = Recent(2)
    ask(recent, b"a")

    def fail(positions: Sequence[int]) -> list[str]:
        raise MemoryError(positions)

    with pytest.raises(MemoryError):
        recent.get([b"a", b"b"], fail)
    assert ask(recent, b"a") == []
