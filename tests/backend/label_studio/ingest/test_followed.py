"""What is done for an event is logged under the id of the request that brought it."""

from contextvars import copy_context

from backend import request_id
from backend.jobs.job_queue import ingest_queue
from backend.label_studio.ingest import draining, retries

ID = "6a0e7a31-0c1b-4e6a-9b8c-7d6e5f4a3b2c"


def test_events_that_one_job_goes_on_with_keep_their_own(redis, ingest, monkeypatch):
    seen = []
    monkeypatch.setattr(
        draining, "process_event", lambda event, _: seen.append(request_id.current())
    )
    queue = ingest_queue(redis)
    for own in (ID, "another-id"):
        event = {"verified": True, "request_id": own}
        queue.enqueue(draining.EVENT_JOB, event, meta={"request_id": own})

    def job():
        request_id.follow("the-first-one")
        return draining.process_queued(ingest), request_id.current()

    assert copy_context().run(job) == (2, "the-first-one")
    assert seen == [ID, "another-id"]


def test_events_that_are_tried_again_keep_it(ingest, monkeypatch):
    seen = []
    monkeypatch.setattr(retries, "process_part", lambda event, _: seen.append(request_id.current()))
    ingest.bookkeeping.wait(({"body": {}, "request_id": ID}, "no answer"))
    copy_context().run(retries.try_again, ingest)
    assert seen == [ID]
