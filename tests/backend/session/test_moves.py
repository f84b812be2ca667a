"""A task that moves to another backend in mid-session is answered as if it had stayed."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from backend.session import page_bytes, stored_masks
from backend.session.page_bytes import from_bytes, to_bytes
from backend.session.prompts import Prompt
from tests.backend.session.page_model import Backend, Page, Server
from tests.backend.session.shelf import Team
from tests.backend.session.test_histories import Histories


def a_page():
    team = Team()
    return team, Page(Server(), team)


def ids(answer):
    return {Page.label(region): region["id"] for region in answer}


def test_an_object_clicked_since_the_last_draft_moves_along():
    team, page = a_page()
    page.click("A", 20, 20)
    page.wait()
    before = ids(page.click("B", 60, 20))
    assert "B" not in {page.label(r) for r in page.server.drafts["1"]["result"]}
    team.to = 1
    after = ids(page.click("A", 22, 20))
    assert after == before
    assert before.keys() == {"A", "B"}


def test_without_a_tier_it_is_missing_until_the_next_draft():
    backend = Backend()
    page = Page(Server(), backend)
    page.click("A", 20, 20)
    page.wait()
    before = ids(page.click("B", 60, 20))
    backend.restart()
    assert ids(page.click("A", 22, 20)) == {"A": before["A"]}
    page.wait()
    assert ids(page.click("A", 24, 20)) == before


def test_what_was_rejected_elsewhere_does_not_come_back():
    team, page = a_page()
    page.click("A", 20, 20)
    page.wait()
    page.reject_all()
    page.wait()
    team.to = 1
    assert ids(page.click("B", 60, 20)).keys() == {"B"}
    team.to = 0
    assert ids(page.click("C", 40, 40)).keys() == {"B", "C"}


def test_a_backend_that_answered_before_goes_on_with_what_came_since():
    team, page = a_page()
    page.click("A", 20, 20)
    team.to = 1
    page.click("B", 60, 20)
    team.to = 0
    assert ids(page.click("C", 40, 40)).keys() == {"A", "B", "C"}


def test_two_people_on_one_task_keep_their_objects():
    team = Team()
    server = Server()
    first, second = (Page(server, team, user=user, instant_save=True) for user in "12")
    for page in (first, second):  # without a draft they cannot be told apart
        page.paint("C", 2, 2, 4, 2)
    mine, yours = ids(first.click("A", 20, 20)), ids(second.click("B", 60, 40))
    assert mine.keys() == {"A"}
    assert yours.keys() == {"B"}
    team.to = 1
    assert ids(first.click("A", 22, 20)) == mine
    team.to = 2
    assert ids(second.click("B", 62, 40)) == yours


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"x\x9c"])
def test_what_is_no_page_says_so(damage):
    with pytest.raises(ValueError, match=r"pages|cut off"):
        from_bytes(damage)


def test_everything_that_may_be_on_a_page_can_be_kept():
    kept = set(page_bytes._CLASSES)
    found = (one for one in vars(stored_masks).values() if isinstance(one, type))
    stored = {one for one in found if one.__module__ == stored_masks.__name__}
    assert set(Prompt.__subclasses__()) <= kept
    assert stored - {stored_masks.StoredMask, stored_masks._Coded} <= kept


def test_a_cut_page_or_one_of_another_release_says_so(monkeypatch):
    data = to_bytes(())
    assert from_bytes(data) == ()
    with pytest.raises(ValueError, match="cut"):
        from_bytes(data[:-6])
    monkeypatch.setattr("backend.session.page_bytes._layout", lambda: "another")
    with pytest.raises(ValueError, match="layout"):
        from_bytes(data)


class Moving:
    """Asks one backend, and backends that share pages; both answer the same."""

    def __init__(self):
        self.team, self.alone = Team(), Backend()

    def __call__(self, body):
        answer = self.team(body)
        assert answer == self.alone(body)
        return answer


class Moves(Histories):
    """Whatever a person does, and wherever the calls go: drafts come late."""

    @initialize()
    def open_page(self):
        super().open_page()
        self.backend = Moving()
        self.page.backend = self.backend

    @rule(to=st.integers(0, 2))
    def move(self, to):
        self.backend.team.to = to

    @rule(number=st.integers(0, 2))
    def kill(self, number):
        self.backend.team.kill(number)


TestMoves = pytest.mark.slow(Moves.TestCase)
TestMoves.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, derandomize=True
)
