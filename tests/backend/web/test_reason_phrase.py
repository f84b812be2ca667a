import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import ImageMissingError
from backend.settings.secret_words import masked
from backend.web.reason_phrase import LONGEST, reason_phrase

SECRET = "a-long-password"


@given(st.text(max_size=600))
def test_any_message_becomes_one_short_line_of_ascii(message):
    phrase = reason_phrase(message)
    assert phrase.isascii()
    assert phrase.isprintable()
    assert len(phrase) <= LONGEST


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_secret_never_shows(before, after):
    assert SECRET not in reason_phrase(masked(f"{before}{SECRET}{after}", [SECRET]))


def test_words_in_ascii_stay_as_they_are():
    words = "The model is busy: click again (in 2 s)."
    assert reason_phrase(words) == words


@pytest.mark.parametrize(
    ("message", "phrase"),
    [
        ("one\r\nX-Injected: two", "one X-Injected: two"),
        ("“Köln” – 3 × 4 → 12…", '"Koln" - 3 x 4 -> 12...'),
        ("label 杯", "label ?"),
        ("at http://me:secret@host/a.png?sig=abc now", "at http://host/a.png?... now"),
        ("\t \n", ""),
    ],
)
def test_what_a_line_of_ascii_cannot_hold_is_written_in_its_closest_form(message, phrase):
    assert reason_phrase(message) == phrase


def test_a_long_message_ends_between_two_words():
    phrase = reason_phrase("word " * 100)
    assert phrase.endswith("word...")
    assert len(phrase) > LONGEST - 10


def test_the_answer_to_a_failed_click_says_why(backend, click, task):
    answer = backend.predict({"result": [click("A", 9, 9)]}, task=task(image="/missing.png"))
    assert answer.status == "404 there is no image at /missing.png"


def test_so_does_an_unexpected_error_without_its_own_words(backend, click):
    backend.predictor.fail = RuntimeError("private")
    answer = backend.predict({"result": [click("A", 9, 9)]})
    assert answer.status.startswith("500 something unexpected went wrong; the log has the details")
    assert "private" not in answer.status


def test_so_do_errors_of_the_framework_and_of_admission(backend, click):
    assert backend.client.get("/nowhere").status.startswith("404 The requested URL was not found")
    assert backend.client.get("/predict").status.startswith("405 The method is not allowed")
    admission = backend.parts.admission
    with contextlib.ExitStack() as stack:
        for _ in range(backend.settings.threads):
            stack.enter_context(admission.place())
        answer = backend.predict({"result": [click("A", 9, 9)]})
    assert answer.status.startswith("503 ")
    assert "are already waiting for the model" in answer.status


def test_no_phrase_shows_a_secret_of_the_settings(make_backend, click, task):
    backend = make_backend(label_studio_api_key=SECRET, label_studio_url="http://127.0.0.1:1")
    answer = backend.predict(
        {"result": [click("A", 9, 9)]}, task=task(image=f"/missing/{SECRET}.png")
    )
    assert answer.status == "404 there is no image at /missing/....png"


def test_an_empty_message_leaves_the_usual_phrase(make_backend, click):
    backend = make_backend()
    backend.predictor.fail = ImageMissingError("\n")
    assert backend.predict({"result": [click("A", 9, 9)]}).status == "404 NOT FOUND"
