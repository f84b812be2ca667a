"""Frames that have had proposals, over restarts."""

import pytest

from backend.cvat.proposed_frames import ProposedFrames

CREATED = "2026-11-01T00:00:01Z"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "cvat-1"


def test_frames_are_known_after_a_restart(path):
    first = ProposedFrames(path, CREATED)
    assert 3 not in first
    for frame in (3, 12):
        first.add(frame)
    again = ProposedFrames(path, CREATED)
    assert [frame in again for frame in (3, 12, 1, 2)] == [True, True, False, False]


def test_another_task_with_the_number_begins_anew(path):
    ProposedFrames(path, CREATED).add(3)
    other = ProposedFrames(path, "2026-11-02T00:00:00Z")
    assert 3 not in other
    other.add(4)
    assert 3 not in ProposedFrames(path, "2026-11-02T00:00:00Z")
    assert 4 not in ProposedFrames(path, CREATED)


@pytest.mark.parametrize("size", range(len(CREATED) + 5))
def test_a_line_that_was_cut_names_no_other_frame(path, size):
    first = ProposedFrames(path, CREATED)
    for frame in (123, 7):
        first.add(frame)
    path.write_bytes(path.read_bytes()[:size])
    cut = ProposedFrames(path, CREATED)
    assert not any(frame in cut for frame in (1, 12, 7))


def test_bytes_that_are_no_text_are_passed_over(path):
    ProposedFrames(path, CREATED).add(3)
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n\xb2\n5\n")
    assert 5 in ProposedFrames(path, CREATED)
