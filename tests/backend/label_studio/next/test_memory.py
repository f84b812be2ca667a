"""What is remembered between calls, and for how long an object without a draft is in doubt."""

import numpy as np
import pytest

from backend.label_studio.next.drawn_object import NextCall
from backend.label_studio.next.memory import Memory
from backend.label_studio.next.others import AUTOSAVE_SECONDS
from backend.session.bitmask import BitMask
from backend.session.prompts import Point
from backend.session.regions import ImageKey

IMAGE = ImageKey("image")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory(clock):
    return Memory(clock=clock)


def square(left, side=10):
    mask = np.zeros((100, 100), np.bool_)
    mask[40 : 40 + side, left : left + side] = True
    return BitMask.of(mask)


def a_call(*xs, **more):
    prompts = tuple(Point("", "", IMAGE, x / 100, 0.45, positive=True) for x in xs)
    return NextCall("1/1", prompts, **more)


def answer(memory, call, mask):
    ticket = memory.begin(call)
    memory.remember(ticket, mask)
    return ticket


def masks(ticket):
    return [other.mask for other in ticket.others]


def test_a_list_that_extends_shortens_or_repeats_one_is_of_the_same_object(memory):
    first = answer(memory, a_call(5), square(0))
    for xs in ((5, 15), (15,), (15, 25), (5, 15)):
        assert memory.begin(a_call(*xs)).number == first.number
    assert memory.begin(a_call(35)).number != first.number


def test_an_object_left_a_moment_ago_counts_until_it_is_pointed_into(memory):
    first = square(0)
    answer(memory, a_call(5), first)
    assert masks(memory.begin(a_call(50))) == [first]
    assert masks(memory.begin(a_call(50, 55))) == [first]
    assert masks(memory.begin(a_call(50, 7))) == []


def test_a_draft_saved_later_decides(memory):
    first, second = square(0), square(20)
    answer(memory, a_call(5, user="1", version="1"), first)
    answer(memory, a_call(25, user="1", version="1"), second)
    third = a_call(50, user="1", version="1")
    assert masks(answer(memory, third, square(45))) == [first, second]
    decided = a_call(50, 55, user="1", version="2", saved=(second,))
    assert masks(memory.begin(decided)) == [second]


def test_a_draft_known_before_the_object_was_left_decides_nothing(memory):
    first = square(0)
    answer(memory, a_call(5, user="1", version="1"), first)
    assert masks(memory.begin(a_call(50, user="1", version="2"))) == [first]
    assert masks(memory.begin(a_call(50, 55, user="1", version="2"))) == [first]
    assert masks(memory.begin(a_call(50, 55, user="1", version="3"))) == []


def test_what_a_draft_has_decided_is_in_doubt_for_no_later_object(memory):
    answer(memory, a_call(5, user="1", version="1"), square(0))
    memory.begin(a_call(50, user="1", version="1"))
    assert masks(memory.begin(a_call(80, user="1", version="2"))) == []


def test_without_a_draft_time_decides(memory, clock):
    first = square(0)
    answer(memory, a_call(5), first)
    memory.begin(a_call(50))
    clock.now += AUTOSAVE_SECONDS
    assert masks(memory.begin(a_call(50, 51))) == [first]
    clock.now += 0.1
    assert masks(memory.begin(a_call(50, 52))) == []


def test_an_accepted_object_is_never_continued(memory):
    mask = square(0)
    first = answer(memory, a_call(5, 7), mask)
    again = memory.begin(a_call(5, user="1", version="1", saved=(mask,)))
    assert again.number != first.number
    assert again.known is None


def test_its_clicks_are_remembered_with_the_mask_that_was_saved(memory):
    answer(memory, a_call(5), square(0))
    by_hand = square(0, side=9)
    (other,) = memory.begin(a_call(50, user="1", version="1", saved=(by_hand,))).others
    assert other.mask is by_hand
    assert other.is_certain
    assert other.clicks == ((0.05, 0.45),)


def test_masks_that_may_be_anothers_give_way_to_a_point(memory):
    mask = square(0)
    unsure = {"saved": (mask,), "is_binding": False}
    assert masks(memory.begin(a_call(50, **unsure))) == [mask]
    assert masks(memory.begin(a_call(5, **unsure))) == []
    assert masks(memory.begin(a_call(6, saved=(mask,)))) == [mask]


def test_what_another_person_draws_does_not_count(memory):
    answer(memory, a_call(5, user="1", version="1"), square(0))
    assert masks(memory.begin(a_call(50, user="2", version="1"))) == []
    assert masks(memory.begin(a_call(60))) == []
    other = memory.begin(a_call(5, user="2", version="1"))
    assert other.known is None


def test_an_object_called_for_again_is_on_another_page(memory):
    """Two people without drafts cannot be told apart, until one goes on with an older object."""
    first = answer(memory, a_call(5), square(0))
    answer(memory, a_call(50), square(45))
    assert answer(memory, a_call(5, 8), square(0)).number == first.number
    assert masks(memory.begin(a_call(50, 52))) == []


def test_what_was_submitted_is_still_its_users(memory):
    mask = square(0)
    first = answer(memory, a_call(5, user="1", version="1"), mask)
    later = a_call(5, 9, annotators=frozenset({"1"}))
    assert memory.begin(later).number == first.number
    assert memory.begin(a_call(5, 8)).number != first.number


def test_a_late_answer_to_an_older_call_is_not_the_mask_on_the_page(memory):
    older, newer = memory.begin(a_call(5)), memory.begin(a_call(5, 7))
    shown = square(0)
    memory.remember(newer, shown)
    memory.remember(older, square(0, side=3))
    assert masks(memory.begin(a_call(50))) == [shown]


def test_the_same_points_have_the_same_mask(memory):
    answers = {(5,): square(0), (5, 7): square(0, side=12), (7,): square(0, side=8)}
    for xs, mask in answers.items():
        answer(memory, a_call(*xs), mask)
    for xs, mask in answers.items():
        assert memory.begin(a_call(*xs)).known is mask


@pytest.mark.parametrize("most", [20_000, 10**9])
def test_memory_is_bounded(clock, most):
    memory = Memory(max_bytes=most, clock=clock)
    for x in range(200):
        answer(memory, a_call(x), square(0))
    assert memory._bytes <= most
    kept = [drawn for objects in memory._tasks.values() for drawn in objects.values()]
    assert memory._bytes == sum(drawn.nbytes for drawn in kept)
    assert len(kept) <= 100
    assert memory.begin(a_call(199)).known is not None
    assert memory.begin(a_call(0)).known is None
