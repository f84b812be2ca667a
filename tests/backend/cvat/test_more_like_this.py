"""``dynamite cvat-masks --more-like-this``: a fake CVAT and a backend, both over HTTP."""

import numpy as np
import pytest
from cvat_sdk import make_client
from cvat_sdk.masks import decode_mask

from backend import composition
from backend.cvat import rle
from backend.images.decode import digest
from backend.serving.answer_log import recall
from tests.backend.cvat.fake_cvat import PERSONAL, FakeCvat
from tests.backend.cvat.test_commands import dynamite, served
from tests.backend.proposals.pages import PLACES, SIZE, FakeProposer, disc

__all__ = ["dynamite", "served"]

COMMAND = ("cvat-masks", "--task", "1", "--more-like-this")


@pytest.fixture
def backend(make_backend, monkeypatch):
    monkeypatch.setattr(composition, "Proposer", FakeProposer)
    return make_backend(cvat=True)


@pytest.fixture
def proposer(backend):
    return FakeProposer.last


@pytest.fixture
def fake():
    server = FakeCvat(SIZE)
    server.labels = {1: "A", 2: "B"}
    yield server
    server.close()


@pytest.fixture
def state(dynamite, tmp_path, monkeypatch):
    """What the command remembers lies beside the backend's state."""
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def propose(dynamite, state):
    return lambda *words: dynamite(*COMMAND, *words)


def of_model(fake, job=1):
    return [one for one in fake.shapes[job] if one["source"] == "auto"]


def runs(x, y, radius=25):
    return rle.encode(disc(x, y, radius).array())


def test_every_frame_gets_masks_that_the_sdk_reads(fake, propose, proposer):
    fake.add_task(1, frames=3, project=4)
    fake.deleted[1] = [1]
    status, said = propose()
    assert (status, "6 objects proposed on 2 frames" in said) == (0, True), said
    assert proposer.projects == [("cvat", 4)] * 2
    host, _, port = fake.url.rpartition(":")
    with make_client(host, port=int(port), access_token=PERSONAL) as client:
        shapes = client.jobs.retrieve(1).get_annotations().shapes
    assert {(one.type.value, one.label_id, one.source) for one in shapes} == {("mask", 1, "auto")}
    for frame in (0, 2):
        masks = [
            decode_mask(one.points, image_width=SIZE[1], image_height=SIZE[0])
            for one in shapes
            if one.frame == frame
        ]
        assert [mask[y, x] for mask, (x, y) in zip(masks, PLACES, strict=True)] == [True] * 3
        assert np.sum(masks, axis=0).max() == 1


def test_scores_are_shown_by_label_and_low_ones_left_out(fake, propose):
    fake.add_task(1, frames=2)
    _, said = propose("--least-score", "0.65")
    assert "4 objects proposed on 2 frames" in said
    (row,) = (line.split() for line in said.splitlines() if line.startswith(" A"))
    assert row == ["A", "4", "0.70", "0.75", "0.80"]


def test_without_the_flag_nothing_is_proposed(fake, dynamite, proposer):
    fake.add_task(1)
    _, said = dynamite(*COMMAND[:3])
    assert "proposed" not in said and proposer.asked == [] and fake.shapes[1] == []


def test_a_task_without_project_learns_from_others_without_one(fake, propose, proposer):
    fake.add_task(1, frames=1)
    propose()
    assert proposer.projects == [("cvat", 0)]


def test_called_again_it_proposes_nothing_twice_and_brings_nothing_back(fake, propose):
    fake.add_task(1, frames=2)
    propose()
    fake.shapes[1] = [one for one in fake.shapes[1] if one["frame"] == 0][:1]  # the rest deleted
    before = list(fake.shapes[1])
    status, said = propose()
    assert (status, "2 frames with proposals already" in said) == (0, True), said
    assert fake.shapes[1] == before


def test_without_its_memory_nothing_is_doubled_either(fake, propose, state):
    fake.add_task(1, frames=1)
    propose()
    (state / "cvat-proposed" / "cvat-1").unlink()
    before = list(fake.shapes[1])
    propose()
    assert fake.shapes[1] == before


def test_a_task_of_another_cvat_with_its_number_begins_anew(fake, propose):
    fake.add_task(1, frames=1)
    propose()
    fake.add_task(1, frames=1)
    assert "3 objects proposed" in propose()[1]


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("mask", runs(300, 60)),
        ("polygon", [270.0, 30.0, 330.0, 30.0, 330.0, 90.0, 270.0, 90.0]),
        ("rectangle", [270.0, 30.0, 330.0, 90.0]),
        ("rectangle", [270.0, -30.0, 330.0, 90.0]),
        ("ellipse", [300.0, 60.0, 330.0, 30.0]),
        ("cuboid", [270.0, 30.0, 330.0, 30.0, 330.0, 90.0, 270.0, 90.0] * 2),
    ],
)
@pytest.mark.parametrize("label", [2, 3])
def test_nothing_lies_on_a_shape_nor_changes_it(fake, propose, kind, points, label):
    fake.add_task(1, frames=1)
    fake.labels[3], fake.label_types[3] = "Box", "rectangle"  # takes no masks
    fake.draw(1, 0, points, kind, label=label, attributes=[{"spec_id": 1, "value": "x"}])
    drawn = list(fake.shapes[1])
    propose()
    assert [one for one in fake.shapes[1] if one["id"] == drawn[0]["id"]] == drawn
    taken = disc(300, 60, 20).array()
    masks = [rle.decode(one["points"], *SIZE) for one in of_model(fake) if one["type"] == "mask"]
    others = [mask for mask in masks if not (mask & taken).any()]
    assert len(others) == 2
    filled = 1 if kind == "rectangle" and label == 2 else 0  # the box gets a mask, as ever
    assert len(masks) == 2 + filled


def test_points_and_lines_take_nothing(fake, propose):
    fake.add_task(1, frames=1)
    fake.draw(1, 0, [300.0, 60.0], "points")
    fake.draw(1, 0, [270.0, 30.0, 330.0, 90.0], "polyline")
    assert "3 objects proposed" in propose()[1]


def test_what_people_drew_on_the_frame_is_an_example(fake, propose, proposer):
    fake.add_task(1, frames=2)
    fake.draw(1, 0, runs(50, 50), label=2)
    fake.draw(1, 0, runs(150, 150), label=2, source="semi-auto")
    fake.draw(1, 0, runs(250, 250), label=1, source="auto")
    fake.draw(1, 1, runs(350, 250))
    propose()
    asked = proposer.asked[0]
    assert [one.contains(50 / 600, 50 / 400) for one in asked.examples["B"]] == [True, False]
    assert [len(asked.examples), len(asked.examples["B"]), len(asked.others)] == [1, 2, 1]


def test_a_label_that_takes_no_masks_is_not_proposed(fake, propose):
    fake.add_task(1)
    fake.label_types[1] = "rectangle"
    assert "0 objects proposed" in propose()[1]
    assert fake.shapes[1] == []


def test_accepted_jobs_and_jobs_with_tracks_are_left_alone(fake, propose):
    fake.add_task(1, frames=3)
    fake.jobs[1]["stop_frame"] = 0
    fake.add_job(2, 1, 1, 1)
    fake.add_job(3, 1, 2, 2)
    fake.complete(2)
    fake.tracks[3] = [{"id": 1, "frame": 2, "label_id": 1, "shapes": []}]
    _, said = propose()
    assert len(fake.shapes[1]) == 3 and fake.shapes[2] == fake.shapes[3] == []
    assert "1 job accepted already" in said and "1 job with tracks" in said


def test_a_job_that_is_completed_meanwhile_is_left_alone(fake, propose, proposer, monkeypatch):
    fake.add_task(1, frames=3)
    asked = []

    def then_complete(path, *_):
        asked.append(path)
        if len(asked) == 2:
            fake.complete(1)

    seen = fake.found
    monkeypatch.setattr(
        fake,
        "found",
        lambda method, path, *more: (
            path.endswith("/data") and then_complete(path),
            seen(method, path, *more),
        )[1],
    )
    _, said = propose()
    assert "1 job accepted already" in said and len(proposer.asked) == 2


def test_what_is_drawn_meanwhile_is_not_covered(fake, propose, proposer, monkeypatch):
    fake.add_task(1, frames=2)
    seen = fake.found

    def found(method, path, *more):
        if method == "PATCH" and not fake.shapes[1]:
            fake.draw(1, 1, runs(*PLACES[0]))
        return seen(method, path, *more)

    monkeypatch.setattr(fake, "found", found)
    propose()
    assert len([one for one in of_model(fake) if one["frame"] == 1]) == 2


def test_a_frame_of_two_jobs_gets_proposals_once(fake, propose):
    fake.add_task(1, frames=1)
    fake.add_job(2, 1, 0, 0)
    assert "3 objects proposed on 1 frame" in propose()[1]


def test_a_frame_that_fails_is_said_and_done_the_next_time(fake, propose):
    fake.add_task(1, frames=2)
    fake.broken_frames.add((1, 0))
    status, said = propose()
    assert status == 1 and "3 objects proposed on 1 frame" in said
    assert "frame 0 of job 1" in said and "failed: 1 frame" in said
    fake.broken_frames.clear()
    assert propose()[0] == 0
    assert len(fake.shapes[1]) == 6


def test_a_frame_without_proposals_is_asked_again_once_more_is_known(fake, propose, proposer):
    fake.add_task(1, frames=1)
    propose("--least-score", "0.9")
    assert "3 objects proposed" in propose()[1]


def test_an_accepted_proposal_is_known_for_what_it_is(fake, propose, backend, redis):
    fake.add_task(1, frames=1)
    propose()
    backend.parts.answer_log.close()
    known = recall(redis, "cvat", digest(fake.frames[1, 0]))[""]
    (shape, *_) = fake.shapes[1]
    assert known[rle.name(shape["points"])][:2] == ["discs-1", 0]
