"""Two tools number their projects, tasks and annotations alike, and never touch each other's."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.annotation_store.builders import annotation, photo, project, rectangle, region
from training.annotation_store import (
    AnnotationKey,
    AnnotationStore,
    Outcome,
    Rejection,
    SnapshotRules,
    TaskKey,
    counting,
    write_snapshot,
)

TIMES = [f"2026-01-01T00:00:0{second}.000000+00:00" for second in range(4)]
WHY = Rejection("bad_mask", "it is cut off", "r2")

STEPS = (
    "apply",
    "revive",
    "reject",
    "set aside",
    "delete",
    "delete task",
    "delete project",
    "replace project",
)

steps = st.tuples(
    st.sampled_from(STEPS),
    st.integers(1, 2),
    st.sampled_from(TIMES),
)


def do(store, source, step):
    what, number, time = step
    one = annotation(number, "aa", source=source, updated=time, task=number, project=1)
    if what == "apply":
        store.apply(one)
    elif what == "revive":
        store.apply(one, revive=True)
    elif what == "reject":
        store.apply(one, [WHY])
    elif what == "set aside":
        store.set_aside(one, WHY)
    elif what == "delete":
        store.delete(one.key)
    elif what == "delete task":
        store.delete_task(one.task_key)
    elif what == "delete project":
        store.delete_project(one.project_key)
    else:
        store.replace_project(one.project_key)


def seen(store, source):
    """Everything that the store tells of a source; whether a late annotation would be refused."""
    late = [annotation(n, "aa", source=source, updated=TIMES[3], task=n) for n in (1, 2)]
    return (
        [one for one in store.annotations() if one.source == source],
        store.annotations([project(1, source)]),
        [row for row in store.rejected() if row["source"] == source],
        store.annotations_by_task(project(1, source)),
        store.set_aside_by_task(project(1, source)),
        [store.rejections(one.key) for one in late],
        [store.refusal(one) for one in late],
        {key for key in store.incomplete() if key.source == source},
        project(1, source) in store.projects(),
        store.new_since_training("line", [project(1, source)]),
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["berlin", "cvat"]), steps), max_size=12))
def test_what_happens_to_one_source_is_nothing_to_the_other(tmp_path_factory, history):
    with AnnotationStore(tmp_path_factory.mktemp("both")) as both:
        for source, step in history:
            do(both, source, step)
        for source in ("berlin", "cvat"):
            with AnnotationStore(tmp_path_factory.mktemp(source)) as alone:
                for actor, step in history:
                    if actor == source:
                        do(alone, source, step)
                assert seen(both, source) == seen(alone, source)


@pytest.mark.parametrize("delete", ["annotation", "task", "project", "replace"])
def test_a_deletion_leaves_the_equal_numbers_of_another_source_alone(tmp_path, delete):
    with AnnotationStore(tmp_path / "store") as store:
        for source in ("berlin", "cvat"):
            store.apply(annotation(1, "aa", source=source), [WHY])
        if delete == "annotation":
            store.delete(AnnotationKey("berlin", 1))
        elif delete == "task":
            store.delete_task(TaskKey("berlin", 1))
        elif delete == "project":
            store.delete_project(project(1, "berlin"))
        else:
            store.replace_project(project(1, "berlin"))
        assert [one.source for one in store.annotations()] == ["cvat"]
        assert [row["source"] for row in store.rejected()] == ["cvat"]
        later = annotation(1, "aa", source="cvat", updated=TIMES[1])
        assert store.apply(later) is Outcome.STORED


def test_an_image_that_two_sources_annotated_alike_counts_once_whatever_the_order():
    both = [annotation(1, "aa", source=source) for source in ("berlin", "cvat")]
    for order in (both, both[::-1]):
        ((_, chosen),) = counting(order)
        assert chosen.source == "cvat"


def test_a_snapshot_takes_the_projects_and_the_rules_of_the_source_that_is_meant(tmp_path):
    objects = [region(rectangle(2, 2, 6, 6))]
    with AnnotationStore(tmp_path / "store") as store:
        for number, source in enumerate(("berlin", "cvat"), start=1):
            digest = store.put_image(photo(number))
            store.apply(annotation(1, digest, source=source, regions=objects))
        rules = SnapshotRules(holdout=0.0, exhaustive=frozenset({project(1, "cvat")}))
        sources = ("berlin", "cvat")
        snapshots = [
            write_snapshot(store, [project(1, source)], tmp_path / "s", rules) for source in sources
        ]
        digests = [one.images[0].digest for one in store.annotations()]
    for snapshot, digest, exhaustive in zip(snapshots, digests, (False, True), strict=True):
        text = (snapshot.folder / "corrected" / "annotations.json").read_text()
        (image,) = json.loads(text)["images"]
        assert (image["digest"], image["exhaustive"]) == (digest, exhaustive)


def test_a_rejection_in_one_source_keeps_the_others_annotation_exhaustive(tmp_path):
    objects = [region(rectangle(2, 2, 6, 6))]
    exhaustive = frozenset({project(1, "berlin"), project(1, "cvat")})
    with AnnotationStore(tmp_path / "store") as store:
        store.apply(annotation(1, store.put_image(photo(1)), source="berlin"), [WHY])
        store.apply(annotation(1, store.put_image(photo(2)), source="cvat", regions=objects))
        rules = SnapshotRules(holdout=0.0, exhaustive=exhaustive)
        snapshot = write_snapshot(store, [project(1, "cvat")], tmp_path / "s", rules)
    text = (snapshot.folder / "corrected" / "annotations.json").read_text()
    assert [image["exhaustive"] for image in json.loads(text)["images"]] == [True]


def test_new_annotations_of_another_source_start_no_training_of_a_line(tmp_path):
    with AnnotationStore(tmp_path / "store") as store:
        store.apply(annotation(1, "aa", source="cvat"))
        assert store.new_since_training("line", [project(1, "berlin")]) == 0
        assert store.new_since_training("line", [project(1, "cvat")]) == 1
