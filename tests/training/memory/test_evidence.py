"""The decision on a memory, from what it did on images it had not learned from."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.memory.evidence import Outcome, Pair, by_label, judge, outcome_of

SAME = (0.7, 0.7)

clicks = st.floats(1, 6)
pairs = st.tuples(clicks, clicks)
ious = st.tuples(st.floats(0, 1), st.floats(0, 1))


def on(image: int, clicks: Pair, first: Pair = SAME, label: str = "disc") -> Outcome:
    return outcome_of(str(image), [label], [first], [clicks])


def many(count: int, clicks: Pair, first: Pair = SAME) -> list[Outcome]:
    return [on(image, clicks, first) for image in range(count)]


@pytest.mark.parametrize(
    ("outcomes", "objection"),
    [
        ([], "less than 2% can be expected"),
        (many(1, (4.0, 3.0)), ""),
        (many(1, (4.0, 3.5)), "less than 2% can be expected"),  # a single image says little
        (many(5, (4.0, 3.5)), ""),
        (many(6, (4.0, 4.4)), "less than 2% can be expected"),
        (many(30, (4.0, 3.99)), "less than 2% can be expected"),
        (many(6, (4.0, 3.0), (0.7, 0.5)), "the first masks are worse"),
        (many(1, (1.0, 1.0)), "one click is enough without it"),
    ],
)
def test_memory_is_used_while_it_is_expected_to_help(
    outcomes: Sequence[Outcome], objection: str
) -> None:
    verdict = judge(outcomes)
    assert verdict.objection == objection
    assert verdict.is_on is (not objection)


@given(st.lists(st.tuples(pairs, ious), max_size=12))
def test_more_evidence_of_the_same_kind_makes_it_surer(found: list[tuple[Pair, Pair]]) -> None:
    outcomes = [on(image, *one) for image, one in enumerate(found)]
    verdict = judge(outcomes)
    assert -5 < verdict.expected < 1
    assert judge(outcomes * 3).error <= verdict.error
    assert judge(outcomes[::-1]).expected == pytest.approx(verdict.expected)


@given(st.lists(pairs, min_size=1, max_size=12))
def test_an_outcome_that_is_worse_never_speaks_for_it(found: list[Pair]) -> None:
    outcomes = [on(image, one) for image, one in enumerate(found)]
    mean = sum(before - after for before, after in found)
    worse = [*outcomes, on(99, (1.5, 6.0))]
    if mean > 0:
        assert judge(worse).expected < judge(outcomes).expected


def test_what_a_project_does_outweighs_what_others_did() -> None:
    few, more = judge(many(2, (4.0, 3.0))), judge(many(40, (4.0, 3.0)))
    assert few.expected < more.expected == pytest.approx(0.25, abs=0.02)


def test_a_label_that_memory_harms_is_answered_without_it() -> None:
    outcomes = [
        outcome_of(str(n), ["door", "window"], [SAME, SAME], [(3.0, 4.5), (4.0, 1.5)])
        for n in range(4)
    ]
    assert judge(outcomes).is_on
    assert judge(outcomes).without == ("door",)
    assert judge(outcomes[:2]).without == ()  # two images say too little of a label


def test_a_memory_that_is_off_answers_for_no_label() -> None:
    assert judge(many(6, (3.0, 5.0))).without == ()


def test_figures_are_means_over_objects() -> None:
    outcome = outcome_of(
        "a", ["b", "a", "b"], [(0.2, 0.4), (0.5, 0.5), (0.4, 0.6)], [(4, 2), (1, 1), (2, 2)]
    )
    assert [(one.label, one.objects) for one in outcome.labels] == [("a", 1), ("b", 2)]
    assert outcome.clicks == (pytest.approx(7 / 3), pytest.approx(5 / 3))
    (most, least) = by_label([outcome, outcome])
    assert (most.label, most.objects, most.clicks) == ("b", 4, (3.0, 2.0))
    assert least.first_iou == (0.5, 0.5)
