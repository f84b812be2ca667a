"""How trainings end is counted once each, by line."""

from types import SimpleNamespace

import pytest
from rq.job import JobStatus

from backend.retraining.verdicts import VERDICTS, note_verdict, verdict_on, verdicts


def job(status, outcome=None):
    result = None if outcome is None else SimpleNamespace(return_value=outcome)
    return SimpleNamespace(get_status=lambda: status, latest_result=lambda: result)


@pytest.mark.parametrize(
    ("status", "outcome", "verdict"),
    [
        (
            JobStatus.FINISHED,
            {"published": True, "version": "lite-2"},
            "published",
        ),
        (JobStatus.FINISHED, {"published": False}, "rejected"),
        (JobStatus.FINISHED, {"published": "no"}, "rejected"),
        (JobStatus.FINISHED, None, "rejected"),
        (JobStatus.FAILED, None, "failed"),
        (JobStatus.STOPPED, None, "cancelled"),
        (JobStatus.QUEUED, None, None),
        (JobStatus.SCHEDULED, None, None),
    ],
)
def test_a_training_ends_in_one_of_four_ways_unless_it_is_tried_again(status, outcome, verdict):
    assert verdict_on(job(status, outcome)) == verdict
    assert verdict in {*VERDICTS, None}


def test_lines_are_counted_apart(redis):
    assert verdicts(redis, "a") == dict.fromkeys(VERDICTS, 0)
    for status in (JobStatus.FAILED, JobStatus.FAILED, JobStatus.QUEUED):
        note_verdict(redis, "a", job(status))
    note_verdict(redis, "b", job(JobStatus.STOPPED))
    assert verdicts(redis, "a") == dict.fromkeys(VERDICTS, 0) | {"failed": 2}
    assert verdicts(redis, "b") == dict.fromkeys(VERDICTS, 0) | {"cancelled": 1}
