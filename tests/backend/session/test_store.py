import threading
from dataclasses import replace

import numpy as np
import pytest

from backend.session.call import SavedPage
from backend.session.paint import Paint, Stroke, draw
from backend.session.reconcile import reconcile
from backend.session.store import SessionStore
from backend.session.stored_masks import BrushRle
from dynamite import brush_rle
from dynamite.errors import InvalidInputError
from tests.backend.session.calls import FIRST, SECOND, SHAPE, call, disc, point, show, targets


def test_images_of_a_task_are_planned_apart_and_answered_together():
    store = SessionStore()
    store.begin(call(point("a", "A", 0.2, 0.2)))
    ticket = store.begin(call(point("a", "A", 0.2, 0.2), point("b", "A", 0.2, 0.2, image=SECOND)))
    first, second = ticket.plan.images
    assert (first.image, second.image) == (FIRST, SECOND)
    assert len(first.targets) == len(second.targets) == 1
    assert first.targets[0].id != second.targets[0].id


def test_a_context_that_leaves_out_another_image_says_nothing_of_it():
    store = SessionStore()
    show(store, store.begin(call(point("a", "A", 0.2, 0.2))))
    ticket = store.begin(call(point("b", "A", 0.8, 0.8, image=SECOND)))
    first, second = ticket.plan.images
    assert (first.image, second.image) == (FIRST, SECOND)
    assert len(first.targets) == len(second.targets) == 1


def test_clicks_are_in_pixels_with_times_in_their_order():
    store = SessionStore()
    store.begin(call(point("a", "A", 0.5, 0.25)))
    store.begin(call(point("b", "B", 1.0, 1.0)))
    ticket = store.begin(call(point("a", "A", 0.5, 0.25), point("n", "A", 0, 0, positive=False)))
    (image,) = ticket.plan.images
    clicks = image.click_set(40, 60)
    assert [(c.x, c.y, c.time) for c in clicks] == [
        (30, 10, 0),
        (pytest.approx(60, abs=0.1), pytest.approx(40, abs=0.1), 1),
        (0, 0, 2),
    ]
    assert clicks.owners == [0, 1, -1]
    clicks.check_inside(40, 60)


def test_tasks_do_not_mix():
    store = SessionStore()
    store.begin(call(point("a", "A", 0.2, 0.2)))
    assert set(targets(store.begin(call(point("b", "B", 0.5, 0.5), task="1/8")))) == {"B"}
    assert set(targets(store.begin(call(point("b", "B", 0.5, 0.5), task="2/7")))) == {"B"}


def test_last_answer_repeats_what_was_shown():
    store = SessionStore()
    ticket = store.begin(call(point("a", "A", 0.2, 0.2)))
    assert store.last_answer(ticket).images == ()
    masks = show(store, ticket)
    ticket = store.begin(call(point("b", "B", 0.8, 0.8)))
    (image,) = store.last_answer(ticket).images
    assert {repeat.id: repeat.mask for repeat in image.repeats} == masks
    assert image.targets == ()


def test_an_object_that_lost_all_its_pixels_is_not_taken_for_accepted():
    store = SessionStore()
    show(store, store.begin(call(point("a", "A", 0.2, 0.2))))
    ticket = store.begin(call(point("b", "B", 0.25, 0.2)))
    b = targets(ticket)["B"].id
    store.remember(ticket, {b: disc(0.25, 0.2)}, [FIRST])
    (image,) = store.last_answer(ticket).images
    assert [repeat.id for repeat in image.repeats] == [b]
    ticket = store.begin(call(point("c", "A", 0.8, 0.8)))  # the click of A has vanished
    (image,) = ticket.plan.images
    assert [mask.array().tolist() for mask in image.fixed] == [disc(0.25, 0.2).array().tolist()]
    assert [(click.x, click.y) for click in targets(ticket)["A"].clicks] == [(0.8, 0.8)]


def test_slow_answer_does_not_replace_a_newer_mask():
    store = SessionStore()
    slow = store.begin(call(point("a", "A", 0.2, 0.2)))
    quick = store.begin(call(point("a", "A", 0.2, 0.2), point("b", "A", 0.8, 0.8)))
    newer = show(store, quick)
    show(store, slow)
    (image,) = store.last_answer(quick).images
    assert {repeat.id: repeat.mask for repeat in image.repeats} == newer


def test_memory_is_bounded_and_the_oldest_pages_go():
    store = SessionStore(max_bytes=50_000)
    for number in range(100):
        show(store, store.begin(call(point(f"k{number}", "A", 0.2, 0.2), task=f"1/{number}")))
    kept = [entry.page.task for entry in store._pages.values()]
    assert 1 <= len(kept) < 40
    assert kept[-1] == "1/99"
    assert sum(entry.page.nbytes for entry in store._pages.values()) <= 50_000


def test_number_of_pages_is_bounded():
    store = SessionStore(max_pages=3)
    for number in range(10):
        store.begin(call(point(f"k{number}", "A", 0.2, 0.2), task=f"1/{number}"))
    assert len(store._pages) == 3


def test_many_threads_lose_no_click():
    store = SessionStore()
    failures = []

    def annotate(task):
        try:
            context = []
            for number in range(20):
                context.append(point(f"{task}-{number}", "A", number / 20, 0.5))
                ticket = store.begin(call(*context, task=task))
                show(store, ticket)
            assert len(targets(ticket)["A"].clicks) == 20
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=annotate, args=(f"1/{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


STROKE = Paint("stroke", "A", FIRST, 40, 60, strokes=(Stroke(((0.2, 0.5), (0.8, 0.5)), 0.05),))


def test_stroke_in_a_context_asks_for_the_mask_under_it():
    ticket = SessionStore().begin(call(STROKE))
    target = targets(ticket)["A"]
    assert target.id == "stroke"
    assert target.scribble
    assert len(target.clicks) > 3
    assert all(click.y == pytest.approx(0.5) for click in target.clicks)


def test_stroke_as_rle_is_a_prompt_too():

    mask = np.zeros(SHAPE, bool)
    mask[18:22, 10:50] = True
    painted = Paint("stroke", "A", FIRST, *SHAPE, stored=BrushRle(bytes(brush_rle.encode(mask))))
    target = targets(SessionStore().begin(call(painted)))["A"]
    assert target.id == "stroke"
    assert all(mask[int(40 * click.y), int(60 * click.x)] for click in target.clicks)


def test_accepted_stroke_is_frozen_afterwards():
    store = SessionStore()
    ticket = store.begin(call(STROKE))
    store.remember(ticket, {"stroke": disc(0.5, 0.5)}, [])
    accepted = replace(STROKE, strokes=(Stroke(((0.2, 0.5), (0.8, 0.6)), 0.1),))
    draft = SavedPage("draft:1", "2026", (accepted,), user="1")
    ticket = store.begin(call(point("b", "B", 0.9, 0.9), drafts=(draft,)))
    assert set(targets(ticket)) == {"B"}
    assert len(ticket.plan.images[0].fixed) == 1


def rle_of(stroke):

    mask = draw(np.zeros(SHAPE, bool), stroke.strokes)
    return replace(stroke, strokes=(), stored=BrushRle(bytes(brush_rle.encode(mask))))


OTHER = replace(STROKE, id="other", label="B", strokes=(Stroke(((0.2, 0.1), (0.8, 0.1)), 0.05),))
EMPTY_DRAFT = SavedPage("draft:1", "2026-01", (), user="1")


@pytest.mark.parametrize(
    "drafts",
    [
        (),
        (EMPTY_DRAFT,),
        (replace(EMPTY_DRAFT, version="2026-02", entries=(STROKE,)),),
        (replace(EMPTY_DRAFT, version="2026-02", entries=(rle_of(STROKE),)),),
    ],
    ids=["no draft", "stale draft", "strokes in the draft", "pixels in the draft"],
)
@pytest.mark.parametrize(
    "later",
    [rle_of(OTHER), point("b", "B", 0.9, 0.9)],
    ids=["a stroke", "a click"],
)
def test_a_pending_stroke_is_answered_with_what_comes_later(drafts, later):
    store = SessionStore()
    first = store.begin(call(rle_of(STROKE), drafts=(EMPTY_DRAFT,) if drafts else ()))
    show(store, first)
    ticket = store.begin(call(later, drafts=drafts))
    assert set(targets(ticket)) == {"A", "B"}
    assert targets(ticket)["A"].scribble


def test_strokes_of_a_label_are_an_object_each():
    store = SessionStore()
    show(store, store.begin(call(STROKE)))
    ticket = store.begin(call(STROKE, replace(OTHER, label="A")))
    assert {t.id for image in ticket.plan.images for t in image.targets} == {"stroke", "other"}


def test_a_deleted_stroke_is_gone_once_saved():
    store = SessionStore()
    show(store, store.begin(call(STROKE)))
    drafts = (replace(EMPTY_DRAFT, entries=(point("b", "B", 0.9, 0.9),)),)
    show(store, store.begin(call(point("b", "B", 0.9, 0.9), drafts=drafts)))
    assert set(targets(store.begin(call(point("c", "C", 0.1, 0.9), drafts=drafts)))) == {"B", "C"}


def test_masks_in_a_context_keep_their_pixels():
    accepted = rle_of(replace(OTHER, label="A"))
    (image,) = SessionStore().begin(call(accepted, STROKE)).plan.images
    assert [target.id for target in image.targets] == ["stroke"]
    assert len(image.fixed) == 1


@pytest.mark.security
@pytest.mark.parametrize("where", ["context", "draft"])
def test_masks_are_decoded_while_other_pages_go_on(where, monkeypatch):
    store, decode, waited = SessionStore(), Paint.decode, []

    def watched(painted):
        waited.append(store._lock.locked())
        return decode(painted)

    monkeypatch.setattr(Paint, "decode", watched)
    accepted = rle_of(OTHER)
    draft = replace(EMPTY_DRAFT, entries=(accepted,))
    context = (accepted, STROKE) if where == "context" else (STROKE,)
    store.begin(call(*context, drafts=(draft,) if where == "draft" else ()))
    assert waited == [False, False]


@pytest.mark.security
def test_a_slow_page_does_not_hold_up_those_of_other_tasks(monkeypatch):
    store = SessionStore()
    inside, go_on = threading.Event(), threading.Event()

    def slow_reconcile(page, asked, read):
        if asked.task == "1/8":
            inside.set()
            assert go_on.wait(10)
        return reconcile(page, asked, read)

    monkeypatch.setattr("backend.session.store.reconcile", slow_reconcile)
    slow = threading.Thread(
        target=store.begin, args=(call(point("s", "A", 0.2, 0.2), task="1/8"),), daemon=True
    )
    slow.start()
    assert inside.wait(10)
    answered = threading.Thread(
        target=lambda: show(store, store.begin(call(point("a", "A", 0.2, 0.2)))), daemon=True
    )
    answered.start()
    answered.join(5)
    waits = answered.is_alive()
    go_on.set()
    slow.join(10)
    assert not waits


@pytest.mark.security
def test_masks_are_decoded_once_in_a_call_however_many_and_large(monkeypatch):
    store, decode, decoded = SessionStore(max_bytes=1), Paint.decode, []
    monkeypatch.setattr(Paint, "decode", lambda p: (decoded.append(p.id), decode(p))[1])
    masks = tuple(replace(rle_of(OTHER), id=f"m{n}", label=f"L{n}") for n in range(5))
    masks = tuple(
        replace(m, stored=BrushRle(m.stored.data + bytes(n))) for n, m in enumerate(masks)
    )
    clicks = tuple(point(f"k{n}", "A", n / 9, 0.5) for n in range(9))
    store.begin(call(*clicks, drafts=(replace(EMPTY_DRAFT, entries=(*masks, *clicks)),)))
    assert sorted(decoded) == [m.id for m in masks]


@pytest.mark.security
def test_strokes_that_would_take_seconds_to_draw_are_refused_before():
    wide = (Stroke(((0.0, 0.0), (1.0, 1.0)), 10.0),) * 480
    thin = (Stroke(((0.0, 0.0), (1.0, 1.0)) * 60_000, 1e-4),)
    for strokes in (wide, thin):
        bomb = Paint("bomb", "A", FIRST, 7000, 7000, strokes=strokes)
        with pytest.raises(InvalidInputError, match="the strokes and polygons paint"):
            SessionStore().begin(call(bomb))


@pytest.mark.security
def test_masks_of_a_call_are_bounded_by_the_largest_image():
    full = Paint("f", "A", FIRST, 40, 60, BrushRle(bytes(brush_rle.encode(np.ones(SHAPE, bool)))))
    few, many = (
        tuple(
            replace(full, id=f"f{n}", stored=BrushRle(full.stored.data + bytes(n)))
            for n in range(count)
        )
        for count in (80, 101)
    )
    SessionStore(max_pixels=40 * 60).begin(
        call(STROKE, drafts=(replace(EMPTY_DRAFT, entries=few),))
    )
    with pytest.raises(InvalidInputError, match="masks cover 240205 pixels"):
        SessionStore(max_pixels=40 * 60).begin(
            call(STROKE, drafts=(replace(EMPTY_DRAFT, entries=many),))
        )


@pytest.mark.security
def test_a_mask_larger_than_any_image_has_no_pixels():
    store = SessionStore(max_pixels=40 * 60 - 1)
    assert not store.begin(call(STROKE)).plan.images


def test_corrupt_mask_of_a_draft_is_no_obstacle():
    broken = Paint("x", "A", FIRST, 40, 60, stored=BrushRle(b"\x00\x01\x02"))
    draft = SavedPage("draft:1", "2026", (broken,), user="1")
    ticket = SessionStore().begin(call(point("a", "A", 0.2, 0.2), drafts=(draft,)))
    assert targets(ticket)["A"].id != "x"


def test_two_tabs_of_one_person_are_two_pages():
    first = SavedPage("draft:1", "2026-01", (point("a", "A", 0.2, 0.2),), user="1")
    second = SavedPage("draft:2", "2026-02", (point("b", "B", 0.8, 0.8),), user="1")
    store = SessionStore()
    drafts = (first, second)
    in_first = store.begin(
        call(point("a", "A", 0.2, 0.2), point("c", "A", 0.3, 0.2), drafts=drafts)
    )
    in_second = store.begin(
        call(point("b", "B", 0.8, 0.8), point("d", "B", 0.7, 0.8), drafts=drafts)
    )
    assert set(targets(in_first)) == {"A"}
    assert set(targets(in_second)) == {"B"}


def test_the_newest_prediction_may_have_filled_the_page():
    def predicted(version, x):
        mask = disc(x, 0.5).array()
        painted = Paint(
            f"p{version}", "B", FIRST, *SHAPE, stored=BrushRle(bytes(brush_rle.encode(mask)))
        )
        return SavedPage(f"prediction:{version}", version, (painted,))

    older, newer = predicted("2026-01", 0.2), predicted("2026-02", 0.8)
    asked = call(point("a", "A", 0.5, 0.5), predictions=(newer, older))
    (image,) = SessionStore().begin(asked).plan.images
    (fixed,) = image.fixed
    assert fixed.contains(0.8, 0.5)
    assert not fixed.contains(0.2, 0.5)
