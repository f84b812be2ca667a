"""Tasks stay with their backend, and move without a failed click when one goes or comes."""

import signal
import time

import pytest

from tests.deploy.replicas import Annotator, Load, post, until

pytestmark = pytest.mark.load

TASKS = 60


def places(annotators):
    """Where each task is answered now."""
    return {annotator.task: annotator.click() for annotator in annotators}


def moved(before, after):
    return {task for task in before if before[task] != after[task]}


def of(places, name):
    return {task for task, place in places.items() if place == name}


def check(annotators):
    """Nobody saw a failure, a lost object, a second one in its place, or another id."""
    assert [a.failures for a in annotators if a.failures] == []
    for annotator in annotators:
        (ids,) = annotator.ids
        assert sorted(name[0] for name in ids) == ["A", "B"]


def test_tasks_move_only_with_their_backend_and_no_click_fails(team):
    # Half of them have no draft: what they have clicked is in the calls of one label only.
    annotators = [Annotator(team, task, saves=bool(task % 2)) for task in range(1, TASKS + 1)]
    first = places(annotators)
    assert first == places(annotators)
    assert set(first.values()) == set(team.replicas)
    encoded = team.encodes()

    drained, killed = "backend-1", "backend-2"
    with Load(annotators) as load:
        load.more(20)
        team.replicas[drained].say(signal.SIGTERM)
        until(lambda: team.replicas[drained].health() == (503, "DRAINING"))
        load.more(20)
        assert team.replicas[drained].process.wait(60) == 0
        load.more(20)
    without = places(annotators)
    check(annotators)
    assert moved(first, without) == of(first, drained)
    assert len(of(first, drained)) <= TASKS / 3 * 1.2  # about a third: few tasks divide unevenly

    with Load(annotators) as load:
        load.more(20)
        team.replicas[drained].start()
        until(lambda: team.replicas[drained].health() == (200, "UP"))
        until(lambda: annotators[min(of(first, drained)) - 1].served_by[-1] == drained)
        load.more(20)
    back = places(annotators)
    check(annotators)
    assert back == first
    assert team.replicas[drained].encodes() == 0  # all loaded from the share

    with Load(annotators) as load:
        load.more(20)
        added = team.add()
        until(lambda: any(annotator.served_by[-1] == added for annotator in annotators))
        load.more(60)
    more = places(annotators)
    check(annotators)
    assert moved(first, more) == of(more, added)
    assert 0 < len(of(more, added)) <= TASKS / 3
    assert team.replicas[added].encodes() == 0

    with Load(annotators) as load:
        load.more(20)
        team.replicas[killed].say(signal.SIGKILL)
        load.more(150)
    left = places(annotators)
    check(annotators)
    assert moved(more, left) == of(more, killed)
    assert len(of(more, killed)) <= TASKS / 3
    assert team.encodes() <= encoded


def test_an_object_clicked_since_the_last_draft_outlives_its_backend(team):
    annotator = Annotator(team, 7, saves=False)
    annotator.click()
    place = annotator.click()  # on an object of another label, which no other call names
    time.sleep(1)  # pages are written behind the answer
    team.replicas[place].say(signal.SIGKILL)
    assert annotator.click() != place
    check([annotator])


def test_a_call_larger_than_the_buffer_outlives_its_backend(team):
    """HAProxy cannot send it again: the page asks once more."""
    annotator = Annotator(team, 7, saves=False)
    annotator.click()
    place = annotator.click()
    body = annotator._page.server.body("1", annotator._page.keypoints("A"))
    body["tasks"][0]["data"]["text"] = "x" * 3_000_000
    before = ids(team.predict(body)[1])
    team.replicas[place].say(signal.SIGKILL)
    until(lambda: team.predict(body)[0] == 200)
    _, answer, name = team.predict(body)
    assert name != place
    assert ids(answer) == before
    assert len(before) == 2


def ids(answer):
    return sorted(region["id"] for region in answer["results"][0]["result"])


def test_a_call_larger_than_the_buffer_is_answered_and_stays(team):
    annotator = Annotator(team, 7)
    usual = annotator.click()
    body = annotator._page.server.body("1", list(annotator._page.regions.values()))
    body["tasks"][0]["data"]["text"] = "x" * 3_000_000
    status, answer, name = team.predict(body)
    assert (status, name) == (200, usual)
    assert len(answer["results"][0]["result"]) == 1


@pytest.mark.parametrize("path", ["/", "/api/function_invocations"])
def test_calls_on_one_frame_of_cvat_go_to_one_backend(team, path):
    """Whoever answers them: these backends have no CVAT, and say so."""
    places = set()
    for shade in range(12):
        frame = "/9j/4AAQ" * 2000 + chr(65 + shade) * 80_000
        bodies = [{"image": frame, "pos_points": [[x, x]]} for x in range(3)]
        (place,) = {post(team.port, body, path)[2] for body in bodies}
        places.add(place)
    assert places == set(team.replicas)
