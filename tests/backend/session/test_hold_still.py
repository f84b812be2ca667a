"""Which objects of a page hold still when a call comes, and as what they are shown."""

import numpy as np

from backend.session.hold_still import shown_before
from backend.session.store import SessionStore
from tests.backend.session.calls import FIRST, SECOND, SHAPE, call, disc, point, show, targets

A, B = point("a", "A", 0.2, 0.5), point("b", "B", 0.7, 0.5)


def page():
    """A store with two objects on its page, both shown."""
    store = SessionStore()
    show(store, store.begin(call(A)))
    masks = show(store, store.begin(call(A, B)))
    return store, masks


def moving(ticket):
    return {label for label, target in targets(ticket).items() if target.moves}


def test_a_click_moves_its_object_and_the_others_are_held_as_shown():
    store, masks = page()
    ticket = store.begin(call(A, point("b2", "B", 0.75, 0.5), B))
    assert moving(ticket) == {"B"}
    (image,) = ticket.plan.images
    shown = shown_before(image, *SHAPE)
    for index, target in enumerate(image.targets):
        assert np.array_equal(shown.label_map == index, masks[target.id].array())
        assert (index in shown.moved) == (target.label == "B")


def test_a_new_object_moves_and_the_others_do_not():
    store, _ = page()
    assert moving(store.begin(call(A, B, point("c", "C", 0.9, 0.1)))) == {"C"}


def test_a_background_click_moves_the_object_it_is_against():
    store, _ = page()
    assert moving(store.begin(call(A, B, point("n", "A", 0.7, 0.55, positive=False)))) == {"B"}
    store, _ = page()
    assert moving(store.begin(call(A, B, point("n", "A", 0.1, 0.05, positive=False)))) == set()


def test_a_click_taken_back_moves_its_object():
    store, _ = page()
    show(store, store.begin(call(A, B, point("a2", "A", 0.25, 0.5))))
    ticket = store.begin(call(A, B, point("n", "A", 0.1, 0.05, positive=False)))
    assert len(targets(ticket)["A"].clicks) == 1
    assert moving(ticket) == {"A"}


def test_a_click_that_was_not_answered_still_moves_its_object():
    store, masks = page()
    failed = store.begin(call(A, B, point("a2", "A", 0.25, 0.5)))
    store.remember(failed, masks, segmented=[])
    later = store.begin(call(A, B, point("a2", "A", 0.25, 0.5), point("b2", "B", 0.75, 0.5)))
    assert moving(later) == {"A", "B"}


def test_nothing_is_held_on_another_image_or_after_a_restart():
    store, _ = page()
    there = point("s", "S", 0.2, 0.5, image=SECOND)
    ticket = store.begin(call(A, B, there))
    first, second = ticket.plan.images
    assert (first.image, second.image) == (FIRST, SECOND)
    assert moving(ticket) == {"S"}
    assert shown_before(second, *SHAPE) is None
    assert moving(SessionStore().begin(call(A, B))) == {"A", "B"}


def test_shown_masks_are_scaled_to_the_image_of_the_model():
    store, _ = page()
    (image,) = store.begin(call(A, point("b2", "B", 0.75, 0.5), B)).plan.images
    label_map = shown_before(image, 2 * SHAPE[0], 2 * SHAPE[1]).label_map
    wanted = np.kron(disc(0.2, 0.5).array(), np.ones((2, 2), bool))
    assert np.array_equal(label_map == 0, wanted)
