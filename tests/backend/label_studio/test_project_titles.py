import json
import time

import pytest

from backend.label_studio.access import Access
from backend.label_studio.project_titles import ProjectTitles
from tests.backend.http_servers import send


def titled(title):
    return send(json.dumps({"title": title}).encode(), Content_Type="application/json")


def until(found):
    deadline = time.monotonic() + 20
    while (value := found()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def test_projects_have_titles_on_the_page_and_are_sorted(backend, serve):
    server = serve({"/api/projects/7": titled("Zebras <b>"), "/api/projects/8": titled("Apes")})
    for project in (7, 8, 9):
        body = {"project": f"{project}.1", "schema": "<View/>", "access_token": "tok"}
        backend.client.post("/setup", json=body | {"hostname": server.url})

    def page():
        text = backend.client.get("/").text
        return text if "Apes" in text and "Zebras" in text else None

    text = until(page)
    places = [text.index(name) for name in ("Apes (project 8)", "Project 9", "Zebras &lt;b&gt;")]
    assert places == sorted(places)
    assert "none has connected yet" not in text


def test_a_title_is_asked_for_once_and_again_where_that_failed(serve):
    server = serve({"/api/projects/1": titled("Cells" * 100)})
    titles, access = ProjectTitles(), Access(server.url, "tok")
    for _ in range(3):
        titles.look_up(access, 1)
    assert until(lambda: titles.title(1)) == ("Cells" * 100)[:80]
    assert len(server.asked) == 1
    titles.look_up(Access(None, None), 2)
    titles.look_up(access, 2)
    until(lambda: None if 2 in titles._asked else True)  # it is not there
    server.pages["/api/projects/2"] = titled("Seeds")
    titles.look_up(access, 2)
    assert until(lambda: titles.title(2)) == "Seeds"


@pytest.mark.parametrize("body", [b"[]", b'{"title": 5}', b"{}", b"no json"])
def test_an_odd_answer_is_no_title(serve, body):
    server = serve({"/api/projects/1": send(body, Content_Type="application/json")})
    titles = ProjectTitles()
    titles.look_up(Access(server.url, "tok"), 1)
    until(lambda: None if titles._asked else True)
    assert titles.title(1) is None


def test_where_nothing_is_connected_the_page_says_what_to_do(backend):
    page = backend.client.get("/").text
    for words in ("none has connected yet", "Labeling Interface", "Connect Model", "magic point"):
        assert words in page
