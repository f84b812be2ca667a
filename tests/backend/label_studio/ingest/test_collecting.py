"""A project of Label Studio is collected for an export: whole, resumed, and by the one reader."""

import numpy as np
import pytest

from backend.label_studio.api import ApiError
from backend.label_studio.config_writer import write
from backend.label_studio.ingest.collecting import collect
from backend.label_studio.ingest.ingest import TryLaterError
from backend.label_studio.ingest.kept_images import ImageKeeper
from tests.backend.label_studio.ingest.conftest import SIZE, an_annotation, brush, mask
from tests.fakes import Photos
from training.annotation_store import AnnotationStore
from training.data.masks import decode
from training.export.pictures import pictures

LABELS = ["zebra", "A"]


def a_task(number, count=1, **data):
    found = {"id": number, "project": 3, "data": {"image": f"/data/{number}.png"} | data}
    return found | {"updated_at": "2026-11-22T07:10:40Z", "total_annotations": count}


@pytest.fixture
def project(site):
    """Tell the site of tasks with annotations, each a list; return how to change them."""

    def tell(*annotations):
        tasks = [a_task(number, len(own)) for number, own in enumerate(annotations, start=1)]
        site.answers["/api/projects/3"] = {"id": 3, "label_config": write(LABELS)}
        site.answers["/api/tasks"] = {"tasks": tasks, "total": len(tasks)}
        for task, own in zip(tasks, annotations, strict=True):
            site.answers[f"/api/tasks/{task['id']}/annotations"] = own

    return tell


@pytest.fixture
def collected(api, tmp_path):
    """Collect project 3; return what was found and the store."""
    with AnnotationStore(tmp_path / "collected") as store:
        photos = Photos(*SIZE)

        def call(*, skip=False, photos=photos):
            found = collect(
                3,
                api,
                ImageKeeper(photos, store, 10**6),
                source="label_studio",
                background=("Background",),
                skip_unreachable=skip,
                advance=lambda: None,
            )
            return found, store

        call.photos = photos
        yield call


def painted(number, task=1, region="r1", **more):
    return an_annotation(number, brush(mask(), "A", region), task=task, **more)


def kept(store):
    return [one.annotation_id for one in store.annotations()]


def test_masks_come_out_as_they_were_painted(project, collected):
    other = mask(1, 2, 7, 30)
    project([an_annotation(1, brush(mask(), "A"), brush(other, "zebra", "r2"))])
    found, store = collected()
    assert found.labels == tuple(LABELS)
    ((picture,),) = [pictures(store, store.annotations(), every=False)]
    assert [region.label for region in picture.image.regions] == ["A", "zebra"]
    for true, region in zip((mask(), other), picture.image.regions, strict=True):
        np.testing.assert_array_equal(decode(picture.image.segmentation(region), SIZE), true)


def test_skipped_and_empty_annotations_bring_no_mask_and_clicks_say_why(project, collected):
    clicks = {
        "id": "k", "type": "keypointlabels", "from_name": "click", "to_name": "image",
        "value": {"x": 5, "y": 5, "keypointlabels": ["A"]},
    }  # fmt: skip
    empty = an_annotation(2, task=2) | {"result": []}
    project([painted(1, was_cancelled=True)], [empty], [an_annotation(3, clicks, task=3)], [])
    _, store = collected()
    assert kept(store) == [2, 3]
    assert pictures(store, store.annotations(), every=True) == []
    assert [(row["annotation"], row["code"]) for row in store.rejected()] == [(3, "no_mask")]


def test_a_broken_mask_is_listed_and_the_others_are_kept(project, collected):
    broken = brush(mask(), "A", "r2")
    broken["value"]["rle"] = broken["value"]["rle"][:20]
    sizeless = brush(mask(), "A", "r3")
    del sizeless["original_width"]
    project([an_annotation(1, brush(mask(), "A"), broken, sizeless)], [{"id": "x"}])
    _, store = collected()
    (picture,) = pictures(store, store.annotations(), every=False)
    assert [region.region_id for region in picture.image.regions] == ["r1"]
    assert not picture.complete
    assert [row["region"] for row in store.rejected()] == ["r2", "r3"]


def test_an_interrupted_collection_goes_on_where_it_ended(project, collected):
    project([painted(1)], [painted(2, task=2)])
    collected()
    assert len(collected.photos.fetched) == 2
    later = "2026-12-01T00:00:00Z"
    project([painted(1)], [], [painted(3, task=3)], [painted(4, task=4, updated=later)])
    _, store = collected()
    assert collected.photos.fetched[2:] == ["/data/3.png", "/data/4.png"]
    assert kept(store) == [1, 3, 4]


def test_an_image_that_cannot_be_fetched_stops_it_or_is_told(project, collected):
    project([painted(1)])
    collected.photos.is_away = True
    with pytest.raises(TryLaterError, match=r"task 1: .*cannot be reached"):
        collected()
    found, store = collected(skip=True)
    assert list(found.unreachable) == [1]
    assert kept(store) == []


def test_an_image_that_is_gone_is_listed(project, collected, site):
    project([painted(1)])
    site.answers["/api/tasks"]["tasks"][0]["data"]["image"] = "/data/missing.png"
    _, store = collected()
    assert [row["code"] for row in store.rejected()] == ["image_missing"]


def test_a_number_that_is_no_project_is_said(collected):
    with pytest.raises(ApiError, match="Label Studio has no project 3"):
        collected()
