"""Broken calls, events and configs: an answer or a described error, and the next click works."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import BadRequestError
from backend.label_studio import config_check, labeling_config
from backend.label_studio.config_writer import write
from backend.label_studio.ingest.event_fields import check_event, claim_of, split_event
from backend.label_studio.ingest.masks import read_masks
from backend.label_studio.next.capabilities import targets
from backend.label_studio.served_tags import served_tags
from backend.web import description
from tests.backend.label_studio.next.bodies import CONFIG, a_body
from tests.backend.served import CAPTURES, a_capture, a_click, a_task
from tests.hostile import broken, broken_json, ends_well, examples

pytestmark = pytest.mark.security


def captures(pattern):
    return [a_capture(path.stem) for path in sorted(CAPTURES.glob(f"{pattern}.json"))]


NEXT = [
    a_body({"event": "capabilities"}),
    a_body({"event": "release"}),
    a_body(
        {
            "result": [
                {"type": "rectanglelabels", "value": {"x": 5, "y": 5, "width": 9, "height": 9}}
            ]
        }
    ),
    a_body({"result": [{"type": "keypointlabels", "value": {"x": 9, "y": 9, "positive": True}}]}),
]
EVENTS = [
    *captures("webhook-*"),
    {"action": "START_TRAINING", "project": {"id": 3}},
    {"action": "TASKS_DELETED", "tasks": [{"id": 3}], "project": {"id": 3}},
    {"action": "PROJECT_UPDATED", "project": {"id": 3, "created_at": "2026-01-01T00:00:00Z"}},
]
BODIES = {
    "/predict": captures("predict-*"),
    "/predict of the next editor": NEXT,
    "/warm": captures("predict-batch-*"),
    "/setup": captures("setup-*"),
    "/webhook": EVENTS,
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(make_backend, name):
    backend = make_backend(webhook_secret="a-secret-in-the-address")
    path = name.split(" ")[0]
    described = description.read()["paths"][path]["post"]["responses"].keys()

    @examples(150)
    @given(broken_json(BODIES[name]))
    def check(body):
        text = json.dumps(body).encode()
        answer = backend.client.post(
            f"/k/a-secret-in-the-address{path}", data=text, content_type="application/json"
        )
        assert str(answer.status_code) in described, answer.text
        assert answer.is_json

    check()
    backend.parts.label_studio.connection.images.use(backend.photos)  # /setup may name another
    assert len(backend.result(a_click("A", 100, 100), task=a_task("whole"))) == 1


@examples(300)
@given(broken_json(EVENTS))
def test_events(body):
    if isinstance(body, dict) and not isinstance(
        ends_well(lambda: check_event(body), BadRequestError), BadRequestError
    ):
        claim_of(body)
        split_event({"body": body})


CONFIGS = [
    write(["A", "B"]).encode(),
    CONFIG.encode(),
    b'<View><Repeater on="$images" indexFlag="{{idx}}">'
    b'<Image name="i{{idx}}" value="$images[{{idx}}]"/>'
    b'<Labels name="l{{idx}}" toName="i{{idx}}"><Label value="A"/></Labels>'
    b'<Brush name="b{{idx}}" toName="i{{idx}}"/></Repeater></View>',
]
TOKENS = (
    *(
        b"<View>" * 200,
        b"<Image/>" * 300,
        b"<Repeater on='$a'>",
        b"&amp;",
        b"&lol;",
        b"<!DOCTYPE x",
    ),
    *(b"<![CDATA[", b"<?xml version='1.0' encoding='utf-7'?>", b"\0", b'value="$a[', b'smart="'),
)
TASKS = ({}, {"images": [{}] * 5, "a": "x"}, {"images": ["x"] * 20_000}, {"images": {"a": []}})


@examples(500)
@given(broken(CONFIGS, TOKENS), st.sampled_from(TASKS))
def test_labelling_configs(data, task):
    text = data.decode("utf-8", "replace")
    config = ends_well(lambda: labeling_config.parse(text), BadRequestError)
    if not isinstance(config, BadRequestError):
        config_check.problems(config)
        served_tags(config)
        targets(config)
        ends_well(lambda: config.for_task(task), BadRequestError)


RESULTS = [
    *(body["annotation"]["result"] for body in captures("webhook-*")),
    *(json.loads(path.read_text())["result"] for path in CAPTURES.glob("outputs-*annotation.json")),
]
FIVE = a_capture("outputs-mixed-five-types")["label_config"]


@examples(300)
@given(broken_json(RESULTS))
def test_results_of_annotations(result):
    found = read_masks(result, labeling_config.parse(FIVE), {})
    assert all(region.area for regions in found.regions.values() for _, region in regions)
