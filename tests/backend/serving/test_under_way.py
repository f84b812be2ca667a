"""Which click waits for what, on the status page."""

import threading

from backend.serving.under_way import UnderWay


def test_clicks_are_listed_while_they_are_answered_the_longest_waiting_first():
    under_way = UnderWay()
    assert under_way.clicks() == []
    with under_way.click("12", "3") as awaits, under_way.click("13", None):
        awaits("its image")
        first, second = under_way.clicks()
        assert (first.task, first.user, first.awaited) == ("12", "3", "its image")
        assert (second.task, second.user, second.awaited) == ("13", None, "its turn")
        assert first.seconds == 0
    assert under_way.clicks() == []


def test_the_page_says_whose_click_waits_for_what(backend, click, monkeypatch):
    arrived, goes_on = threading.Event(), threading.Event()
    fetch = backend.photos.fetch

    def slow(*arguments):
        arrived.set()
        assert goes_on.wait(20)
        return fetch(*arguments)

    monkeypatch.setattr(backend.photos, "fetch", slow)
    thread = threading.Thread(target=backend.result, args=(click("A", 200, 200),))
    thread.start()
    assert arrived.wait(20)
    page = backend.client.get("/").text
    goes_on.set()
    thread.join()
    assert "<td>without a draft yet</td><td>its image</td>" in page
    assert "None at the moment." in backend.client.get("/").text
