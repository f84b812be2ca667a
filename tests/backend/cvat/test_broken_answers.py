"""Broken webhooks of CVAT, and answers of its API: what they say or the documented error."""

import json

import numpy as np
import pytest
from hypothesis import given

from backend.cvat import rle
from backend.cvat.collect.described import Annotations, Job, Meta, Task, read
from backend.cvat.collect.masks import read_shapes
from backend.errors import BadRequestError
from backend.web import description
from dynamite.errors import InvalidInputError
from tests.hostile import broken_json, ends_well, examples

pytestmark = pytest.mark.security

SIZE = (40, 60)
DISC = rle.encode(np.hypot(*np.ogrid[-20:20, -30:30]) < 15)
SHAPES = {
    "shapes": [
        {"id": 1, "type": "mask", "frame": 0, "label_id": 1, "points": DISC, "source": "manual"},
        {"id": 2, "type": "polygon", "frame": 0, "label_id": 1, "points": [5, 5, 25, 5, 25, 15]},
        {"id": 3, "type": "points", "frame": 1, "label_id": 2, "points": None},
    ]
}
JOB = {
    "id": 1,
    "task_id": 2,
    "stage": "annotation",
    "state": "completed",
    "start_frame": 0,
    "stop_frame": 9,
    "updated_date": "2026-11-30T10:05:00Z",
    "assignee": {"id": 3},
}


@examples(500)
@given(broken_json([DISC]))
def test_masks(points):
    if isinstance(points, list):
        found = ends_well(lambda: rle.decode(points, *SIZE), InvalidInputError)
        assert isinstance(found, Exception) or found.shape == SIZE


@examples(300)
@given(broken_json([SHAPES]))
def test_annotations(value):
    found = ends_well(lambda: read(Annotations, value), BadRequestError)
    if not isinstance(found, BadRequestError):
        read_shapes(found.shapes, {1: "Cat"}, SIZE, {})


@examples(300)
@given(broken_json([JOB, {"id": 1, "created_date": "2026-11-30T10:05:00+02:00"}]))
def test_jobs_tasks_and_frames(value):
    for kind in (Job, Task, Meta):
        ends_well(lambda kind=kind: read(kind, value), BadRequestError)


def test_webhooks(backend):
    described = description.read()["paths"]["/cvat/webhook"]["post"]["responses"].keys()
    good = [
        {"event": "create:job", "job": JOB},
        {"event": "update:job", "job": JOB, "before_update": {"state": "new"}},
        {"event": "delete:task", "task": {"id": 2}},
    ]

    @examples(200)
    @given(broken_json(good))
    def check(body):
        answer = backend.client.post(
            "/cvat/webhook", data=json.dumps(body), content_type="application/json"
        )
        assert str(answer.status_code) in described, answer.text

    check()
