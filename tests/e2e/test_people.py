"""Two people with accounts of their own on one task: neither changes what the other sees."""

import secrets

import pytest
import requests
from annotator import Annotator
from browser import Browser
from conftest import ARTIFACTS
from photo import CAKE, CUP, by_label, inside, pixel

pytestmark = pytest.mark.e2e


def sign_up(demo, email, password):
    """Through the invitation: only so does an account belong to the organization."""
    address = demo.url + demo.api.get("/api/invite")["invite_url"]
    with requests.Session() as http:
        http.get(address, timeout=60)
        form = {"csrfmiddlewaretoken": http.cookies["csrftoken"], "email": email}
        answer = http.post(
            address,
            data=form | {"password": password, "allow_newsletters": "false"},
            headers={"Referer": address},
            timeout=60,
        )
        assert answer.ok
        assert "/user/signup" not in answer.url


@pytest.fixture
def other(demo):
    """A second person, with a browser and an account of their own."""
    email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_hex(8)
    sign_up(demo, email, password)
    window = Browser()
    try:
        person = Annotator(window, demo.url, ARTIFACTS)
        person.log_in(email, password)
        yield person
        person.screenshot("the_other_person")
    finally:
        window.close()


def test_two_people_on_one_task_do_not_change_each_others_masks(demo, person, other):
    project, (task,) = demo.project()
    person.open_task(project, task)
    other.open_task(project, task)
    person.click("Cake", *CAKE)
    person.wait_until_saved(demo.api, task, masks=0, clicks=1)
    (mine,) = person.suggestions()

    other.click("Cake", *CUP)
    (theirs,) = other.suggestions()
    assert theirs.id != mine.id
    assert pixel(theirs.mask, CUP)

    further = inside(mine.mask, CAKE)
    person.click("Cake", *further, negative=True)
    (again,) = person.suggestions()
    assert again.id == mine.id
    assert not pixel(again.mask, further)

    person.accept_all()
    person.wait_until_saved(demo.api, task, masks=1)
    other.click("Cup", *CAKE)  # on what the first has accepted, which is not on this page
    found = by_label(other.suggestions())
    assert set(found) == {"Cake", "Cup"}
    assert found["Cake"].id == theirs.id
    assert pixel(found["Cake"].mask, CUP)
    assert pixel(found["Cup"].mask, CAKE)
    other.accept_all()

    (kept,) = person.regions()
    assert kept.id == mine.id
    assert (kept.mask == again.mask).all()
    person.click("Cup", *CUP)
    (cup,) = person.suggestions()
    assert cup.id not in {region.id for region in other.regions()}
    person.accept_all()
    mine_now = {region.id: region.mask for region in person.regions()}
    assert set(mine_now) == {kept.id, cup.id}
    assert (mine_now[kept.id] == again.mask).all()
    assert len(other.regions()) == 2
