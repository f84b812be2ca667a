"""What doctor sends to Label Studio when it tries to connect the backend, and what it prints."""

from pathlib import Path

from backend.doctor.attachment import check_attachment
from backend.label_studio.api import ApiError
from backend.label_studio.setup import TRIAL
from backend.settings import Settings, load

URL = "http://127.0.0.1:9090"
SECRET = "a-secret-of-some-length"


class LabelStudio:
    """Answers like a Label Studio without a backend; records posts."""

    def __init__(self, refusal: str | None = None) -> None:
        self.posted: list[dict] = []
        self.refusal = refusal

    def get(self, path, **_):
        return []

    def post(self, path, body):
        self.posted.append(body)
        if self.refusal:
            raise ApiError(self.refusal.format(url=body["url"]), 400)

    def delete(self, path):
        raise AssertionError("there is nothing to delete")


def guarded(folder: Path) -> Settings:
    return load(
        state_dir=folder,
        basic_auth_user="annotator",
        basic_auth_password="pass",
        webhook_secret=SECRET,
    )


def test_a_guarded_backend_is_tried_with_its_password_and_secret(tmp_path):
    studio = LabelStudio()
    found = list(check_attachment(studio, 1, URL, guarded(tmp_path)))
    (body,) = studio.posted
    assert body["url"] == f"{URL}/k/{SECRET}"
    assert (body["basic_auth_user"], body["basic_auth_pass"]) == ("annotator", "pass")
    assert "/k/(your DYNAMITE_WEBHOOK_SECRET)" in found[-1].fix
    assert "Basic Authentication" in found[-1].fix
    assert SECRET not in repr(found)


def test_no_secret_is_shown_where_label_studio_repeats_the_address(tmp_path):
    studio = LabelStudio("Can't connect to {url}")
    (found,) = check_attachment(studio, 1, URL, guarded(tmp_path))
    assert "Can't connect" in found.message
    assert SECRET not in repr(found)


def test_an_open_backend_is_tried_without_any(tmp_path):
    studio = LabelStudio()
    list(check_attachment(studio, 1, URL, load(state_dir=tmp_path)))
    (body,) = studio.posted
    assert body["url"] == URL
    assert "auth_method" not in body


def test_the_trial_says_that_it_is_one(tmp_path):
    studio = LabelStudio()
    list(check_attachment(studio, 1, URL, load(state_dir=tmp_path)))
    assert studio.posted[0]["extra_params"] == TRIAL
