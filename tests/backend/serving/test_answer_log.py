import time

from redis import Redis
from redis.exceptions import ConnectionError as AwayError

from backend.serving.answer_log import AnswerLog, recall
from backend.session.bitmask import BitMask
from dynamite import brush_rle


def test_what_was_answered_is_remembered_for_the_day_it_is_accepted(backend, click, queue_server):
    points = [click("A", 200, 200), click("A", 220, 200)]
    backend.result(points[0])
    (region,) = backend.result(*points)
    shape = region["original_height"], region["original_width"]
    name = BitMask.of(brush_rle.decode(region["value"]["rle"], shape) > 0).digest
    deadline = time.monotonic() + 20
    with Redis.from_url(queue_server) as redis:
        while (
            name not in recall(redis, "label_studio", 1).get(region["id"], {})
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        answered = recall(redis, "label_studio", 1)[region["id"]]
    assert answered[name][:2] == ["discs-1", 2]
    assert len(answered) == 2  # the mask of the first click could be accepted late as well


def test_a_note_that_cannot_be_written_does_not_stop_those_after_it(queue_server):
    log, written = AnswerLog(queue_server), []

    def fail(_):
        raise ValueError("no note")

    log.write(fail)
    log.write(written.append)
    log.close()
    assert len(written) == 1


def test_a_queue_that_is_away_is_one_line_in_the_log_and_one_when_it_is_back(queue_server, caplog):
    log = AnswerLog(queue_server)

    def away(_):
        raise AwayError("nobody")

    for one in (away, away, away, Redis.ping, away):
        log.write(one)
    log.close()
    lost = "a note for the queue is lost, and all until it takes one: nobody"
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        lost,
        "notes for the queue that were lost: 3",
        lost,
        "notes for the queue that were lost: 1",
    ]
