"""What the status page says of pre-labelling."""

import pytest

from backend.proposals.report import MOST_LABELS, NOTHING_YET, prelabelled
from tests.training.proposing.test_descriptions import one, record
from training.proposing.kept import KeptDescriptions
from training.proposing.verdicts import Trial

PROJECT = ("label_studio", 3)


@pytest.fixture
def kept(tmp_path):
    return KeptDescriptions(tmp_path / "kept")


def keep(kept, project, labels, trials=()):
    found = record(*((label, "a") for label in labels)).model_copy(update={"trials": trials})
    kept.write(project, found, [one()] * len(labels))


def rows(kept, wanted, connected=()):
    return prelabelled(kept, lambda project: project in wanted, connected)


def test_projects_that_want_it_have_a_row(kept):
    other, third = ("label_studio", 4), ("label_studio", 5)
    keep(kept, PROJECT, ["Cell"])
    keep(kept, other, ["Cell"])
    found = rows(kept, {PROJECT, third}, [third, other])
    assert [row.project for row in found] == [PROJECT, third]
    assert [row.is_off for row in found] == [False, True]
    assert found[1].lines == (NOTHING_YET,)


def test_what_was_deleted_leaves_nothing_to_propose(kept):
    keep(kept, PROJECT, [])
    (row,) = rows(kept, {PROJECT})
    assert row.lines == (NOTHING_YET,)


def test_labels_that_are_off_come_first_and_not_all_are_shown(kept):
    labels = [f"Label {number:02d}" for number in range(12)]
    wrong = Trial(image="a", label=labels[-1], proposed=20, right=1)
    keep(kept, PROJECT, labels, (wrong,))
    (row,) = rows(kept, {PROJECT})
    assert row.is_off
    assert len(row.lines) == MOST_LABELS
    assert row.lines[0].startswith(f"{labels[-1]}: off")
