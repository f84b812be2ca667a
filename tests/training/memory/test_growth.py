"""A memory grows: it is tried on images first, then learns from them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dynamite.network.model import DynaMITE
from training.data.sample import Sample
from training.memory import growth
from training.memory.growth import Memory, grow


@pytest.fixture
def named(samples: list[Sample]) -> list[Sample]:
    return [replace(one, sample_id=str(number)) for number, one in enumerate(samples)]


def grown(
    model: DynaMITE, memory: Memory, samples: list[Sample], seed: int = 0, **more: Any
) -> Memory:
    return grow(model, memory, samples, np.random.default_rng(seed), steps=0.02, **more)


def test_every_image_but_the_first_is_tried_before_it_is_learned(
    model: DynaMITE, named: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    learn, try_memory = growth.learn, growth.try_memory

    def learning(*arguments: Any, **more: Any) -> Any:
        events.append("lesson")
        return learn(*arguments, **more)

    def trying(*arguments: Any) -> Any:
        events.append(arguments[2].sample_id)
        return try_memory(*arguments)

    monkeypatch.setattr(growth, "learn", learning)
    monkeypatch.setattr(growth, "try_memory", trying)
    memory = grown(model, Memory(), named)
    assert events == ["lesson", "1", "lesson", "2", "3", "lesson"]
    assert memory.known == ("0", "1", "2", "3")
    assert [one.image for one in memory.outcomes] == ["1", "2", "3"]


def test_it_goes_on_from_what_it_knows(model: DynaMITE, named: list[Sample]) -> None:
    before = grown(model, Memory(), named[:2])
    after = grown(model, before, named)
    assert after.known == ("0", "1", "2", "3")
    assert after.outcomes[:1] == before.outcomes
    assert after.adaptation is not None
    assert before.adaptation is not None
    assert after.adaptation.digest != before.adaptation.digest
    assert grown(model, after, named) == after


def test_what_was_tried_before_is_not_tried_again(model: DynaMITE, named: list[Sample]) -> None:
    outcomes = grown(model, Memory(), named).outcomes
    again = grown(model, Memory(outcomes=outcomes), named, seed=1)
    assert again.outcomes == outcomes
    assert again.known == ("0", "1", "2", "3")


def test_the_generator_makes_all_choices(model: DynaMITE, named: list[Sample]) -> None:
    digests = []
    for seed in (1, 1, 2):
        adaptation = grown(model, Memory(), named[:2], seed).adaptation
        assert adaptation is not None
        digests.append(adaptation.digest)
    assert digests[0] == digests[1] != digests[2]


def test_an_image_of_specks_teaches_nothing_and_costs_nothing(
    model: DynaMITE, named: list[Sample]
) -> None:
    label_map = np.full_like(named[0].label_map, -1)
    label_map[3, 3] = 0
    more = {"labels": ("disc",), "parents": (), "stuff": (), "whole_areas": ()}
    speck = replace(named[0], label_map=label_map, **more)  # type: ignore[arg-type]
    memory = grown(model, Memory(), [speck])
    assert memory == Memory(known=("0",))
    memory = grown(model, memory, [speck, named[1]])
    assert memory.adaptation is not None
    assert memory.outcomes == ()


def test_progress_is_told(model: DynaMITE, named: list[Sample]) -> None:
    told: list[tuple[str, int, int]] = []
    grown(model, Memory(), named, report=lambda *one: told.append(one))
    assert ("trying", 2, 2) in told
    assert told[-1] == ("learning", 1, 1)
