"""Accepted jobs become entries of the annotation store, from a CVAT over HTTP."""

import numpy as np
import pytest

from backend.cvat import rle
from backend.cvat.collect.collector import TryLaterError, open_collector
from backend.cvat.collect.frame_numbers import number_of
from backend.cvat.collect.hints import look_into
from backend.images.decode import digest
from backend.serving.answer_log import Answered, _keep, key
from training.annotation_store import AnnotationKey, Origin
from training.data.masks import decode

SIZE = (40, 60)


def block(x=5, y=5, width=20, height=10):
    mask = np.zeros(SIZE, bool)
    mask[y : y + height, x : x + width] = True
    return mask


def runs(*args):
    return rle.encode(block(*args))


def stored(collector, job=1, frame=0):
    return collector.store.annotation(AnnotationKey("cvat", number_of(job, frame)))


def regions(collector, job=1, frame=0):
    (image,) = stored(collector, job, frame).images
    return {region.label: decode(image.segmentation(region), SIZE) for region in image.regions}


@pytest.fixture
def done(fake):
    """A completed job with two frames, a mask on each."""
    fake.add_task(1, frames=3, project=4)
    fake.draw(1, 0, runs())
    fake.draw(1, 0, runs(30, 20, 10, 10), label=2)
    fake.draw(1, 2, runs(0, 0, 60, 40))
    fake.complete(1)
    return fake


def test_masks_of_a_completed_job_are_stored_with_image_and_origin(done, collector):
    assert look_into(collector, ("job", 1)) == "job 1: 2 frames stored, 0 deleted"
    entry = stored(collector)
    assert (entry.task, entry.project, entry.annotator) == (1, 4, 7)
    found = regions(collector)
    assert (found["Cat"] == block()).all() and (found["Dog"] == block(30, 20, 10, 10)).all()
    image = entry.images[0]
    assert image.digest == digest(done.frames[1, 0])
    assert collector.store.image_path(image.digest).read_bytes() == done.frames[1, 0]
    assert {region.origin for region in image.regions} == {Origin.DRAWN}
    assert stored(collector, frame=1) is None and regions(collector, frame=2)["Cat"].all()


def test_polygons_are_rasterised_and_prompts_are_not_stored(fake, collector):
    fake.add_task(1)
    fake.draw(1, 0, [5, 5, 25, 5, 25, 15, 5, 15], "polygon")
    fake.draw(1, 0, [1, 1, 30, 30], "rectangle", label=2)
    fake.draw(1, 1, [1, 1], "points")
    fake.complete(1)
    look_into(collector, ("job", 1))
    (mask,) = regions(collector).values()
    assert (mask == block()).all()
    assert stored(collector, frame=1) is None


@pytest.mark.parametrize(
    ("rule", "state", "stage", "is_stored"),
    [
        ("completed", "completed", "annotation", True),
        ("completed", "in progress", "acceptance", False),
        ("completed", "rejected", "acceptance", False),
        ("acceptance", "new", "acceptance", True),
        ("acceptance", "rejected", "acceptance", False),
        ("acceptance", "completed", "validation", False),
    ],
)
def test_what_counts_as_accepted(done, collecting, rule, state, stage, is_stored):
    done.touch(1, state=state, stage=stage)
    with open_collector(collecting(cvat_accepted=rule)) as collector:
        look_into(collector, ("job", 1))
        assert bool(collector.store.annotations()) is is_stored


def test_the_same_hint_again_fetches_and_changes_nothing(done, collector):
    look_into(collector, ("job", 1))
    change, asked = collector.store.change(), len(done.asked)
    for _ in range(3):
        assert look_into(collector, ("job", 1)) == "job 1: 0 frames stored, 0 deleted"
    assert collector.store.change() == change
    assert not any(path.endswith("/data") for _, path, _ in done.asked[asked:])


def test_a_change_replaces_its_frame_alone(done, collector):
    look_into(collector, ("job", 1))
    before = stored(collector, frame=2)
    done.shapes[1] = [one for one in done.shapes[1] if one["frame"] == 2]
    done.draw(1, 0, runs(10, 10, 5, 5))
    look_into(collector, ("job", 1))
    assert (regions(collector)["Cat"] == block(10, 10, 5, 5)).all()
    assert stored(collector, frame=2) == before


def test_what_was_erased_is_deleted_and_comes_back_if_drawn_again(done, collector):
    look_into(collector, ("job", 1))
    kept, done.shapes[1] = done.shapes[1], []
    done.touch(1)
    assert look_into(collector, ("job", 1)) == "job 1: 0 frames stored, 2 deleted"
    assert collector.store.annotations() == []
    done.shapes[1] = kept
    done.touch(1)
    assert look_into(collector, ("job", 1)) == "job 1: 2 frames stored, 0 deleted"


def test_a_deleted_frame_does_not_count(done, collector):
    look_into(collector, ("job", 1))
    done.deleted[1] = [2]
    done.touch(1)
    look_into(collector, ("job", 1))
    assert [one.annotation_id for one in collector.store.annotations()] == [number_of(1, 0)]


def test_a_rejected_job_no_longer_counts_until_it_is_completed_again(done, collector):
    look_into(collector, ("job", 1))
    done.touch(1, state="rejected")
    assert "do not count" in look_into(collector, ("job", 1))
    assert all(one.cancelled for one in collector.store.annotations())
    done.complete(1)
    look_into(collector, ("job", 1))
    assert [one.cancelled for one in collector.store.annotations()] == [False, False]


def test_a_job_on_its_way_to_the_next_stage_keeps_what_was_accepted(done, collector):
    look_into(collector, ("job", 1))
    done.touch(1, stage="validation", state="new")
    assert "not accepted" in look_into(collector, ("job", 1))
    assert len(collector.store.annotations()) == 2 and not stored(collector).cancelled


@pytest.mark.parametrize("kind", ["job", "task", "project"])
def test_what_is_gone_is_deleted_once_cvat_confirms_it(done, collector, kind):
    number = 4 if kind == "project" else 1
    look_into(collector, ("job", 1))
    assert "still there" in look_into(collector, ("task", 1))
    {"job": done.jobs, "task": done.tasks, "project": done.projects}[kind].pop(number)
    assert "2 frames deleted" in look_into(collector, (kind, number))
    assert collector.store.annotations() == []


def test_masks_of_the_model_are_known_by_their_pixels(fake, collector):
    fake.add_task(1, frames=3)
    same, other = block(), block(30, 20, 10, 10)
    note = key("cvat", digest(fake.frames[1, 0]))
    answered = Answered("", rle.name(rle.encode(same)), "lite-2", 3)
    _keep(collector.redis, note, {f" {answered.digest}": '["lite-2", 3]'})
    fake.draw(1, 0, rle.encode(same), source="semi-auto")
    fake.draw(1, 0, rle.encode(other), source="semi-auto")
    fake.draw(1, 1, rle.encode(other), source="semi-auto")
    fake.draw(1, 2, rle.encode(other), source="manual")
    fake.complete(1)
    look_into(collector, ("job", 1))
    first, second = stored(collector).images[0].regions
    assert (first.origin, first.model_version, first.clicks) == (Origin.UNCHANGED, "lite-2", 3)
    assert (second.origin, second.model_version) == (Origin.CORRECTED, "lite-2")
    (unknown,) = stored(collector, frame=1).images[0].regions
    assert (unknown.origin, unknown.model_version) == (Origin.UNCHANGED, None)
    (drawn,) = stored(collector, frame=2).images[0].regions
    assert drawn.origin is Origin.DRAWN
    collector.redis.flushall()  # the queue server forgets
    fake.draw(1, 0, runs(0, 30, 5, 5))
    look_into(collector, ("job", 1))
    assert stored(collector).images[0].regions[0].model_version == "lite-2"


@pytest.mark.parametrize(
    ("kind", "points", "words"),
    [
        ("mask", [1, 2, 3], "too short"),
        ("mask", [0, 10, 0, 0, 99, 0], "outside the image"),
        ("mask", [0, 9, 0, 0, 9, 0], "cover 9 pixels, its box has 10"),
        ("mask", [-5, 15, 0, 0, 9, 0], "runs"),
        ("mask", [0.5, 9.5, 0, 0, 9, 0], "whole"),
        ("mask", [10, 0, 0, 0, 9, 0], "no pixel"),
        ("polygon", [1, 1, 5, 5], "three are needed"),
        ("polygon", [-1e300, -5, -9, -5, -9, -9], "outside the image"),
        ("mask", None, "too short"),
    ],
)
def test_what_cannot_be_used_is_listed_and_the_rest_is_kept(fake, collector, kind, points, words):
    fake.add_task(1)
    number = fake.draw(1, 0, points, kind)
    fake.draw(1, 0, runs(), label=2)
    fake.complete(1)
    look_into(collector, ("job", 1))
    (rejected,) = collector.store.rejected()
    assert words in rejected["detail"] and rejected["region"] == str(number)
    assert set(regions(collector)) == {"Dog"}


def test_another_cvat_under_the_same_name_changes_nothing(done, collector, fake):
    look_into(collector, ("job", 1))
    done.tasks[1]["created_date"] = done.now()
    done.shapes[1] = []
    done.touch(1)
    with pytest.raises(TryLaterError, match="DYNAMITE_CVAT_NAME"):
        look_into(collector, ("job", 1))
    assert len(collector.store.annotations()) == 2


def test_a_server_that_never_had_our_tasks_deletes_nothing(done, collecting):
    with open_collector(collecting()) as collector:
        look_into(collector, ("job", 1))
        collector.bookkeeping._write("DELETE FROM sites")
        del done.jobs[1]
        with pytest.raises(TryLaterError, match="nothing is deleted"):
            look_into(collector, ("job", 1))
        assert len(collector.store.annotations()) == 2


def test_a_proxy_in_place_of_cvat_deletes_nothing(done, collector):
    look_into(collector, ("job", 1))
    done.is_away = True
    for kind in ("job", "task", "project"):
        with pytest.raises(TryLaterError):
            look_into(collector, (kind, 1))
    assert len(collector.store.annotations()) == 2


def test_a_frame_that_does_not_arrive_waits_and_the_others_are_stored(done, collector):
    done.broken_frames.add((1, 0))
    with pytest.raises(TryLaterError, match="1 frames of job 1 wait"):
        look_into(collector, ("job", 1))
    assert stored(collector) is None and stored(collector, frame=2) is not None
    done.broken_frames.clear()
    assert look_into(collector, ("job", 1)) == "job 1: 1 frames stored, 0 deleted"


def test_frames_of_jobs_that_share_a_task_do_not_overwrite_each_other(fake, collector):
    fake.add_task(1, frames=4)
    fake.jobs[1]["stop_frame"] = 1
    fake.add_job(2, 1, 2, 3)
    fake.draw(1, 0, runs())
    fake.draw(2, 2, runs(1, 1, 5, 5))
    for job in (1, 2):
        fake.complete(job)
        look_into(collector, ("job", job))
    assert [one.annotation_id for one in collector.store.annotations()] == [1_000_000, 2_000_002]


def test_a_part_that_is_not_there_does_not_look_empty(done, collector):
    look_into(collector, ("job", 1))
    kept, done.lacks = len(collector.store.annotations()), "annotations/"
    done.touch(1)
    with pytest.raises(TryLaterError, match="not its annotations"):
        look_into(collector, ("job", 1))
    assert len(collector.store.annotations()) == kept


def test_label_studios_annotations_are_left_alone(done, collector):
    from training.annotation_store import AcceptedAnnotation

    other = AcceptedAnnotation("label_studio", number_of(1, 0), 1, 4, "2026-11-22T00:00:00.000000")
    collector.store.apply(other)
    look_into(collector, ("job", 1))
    del done.projects[4]
    look_into(collector, ("project", 4))
    assert collector.store.annotations() == [other]


def test_ground_truth_jobs_are_not_collected(done, collector):
    done.jobs[1]["type"] = "ground_truth"
    assert "of type ground_truth" in look_into(collector, ("job", 1))
    assert collector.store.annotations() == []
