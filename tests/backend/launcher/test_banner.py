"""What ``dynamite serve`` says when it has started."""

from backend.label_studio.token_trial import WHO
from backend.launcher.banner import banner, token_verdict
from tests.backend.http_servers import send
from tests.backend.label_studio.fake_label_studio import LEGACY, LabelStudio


def test_the_banner_says_where_what_and_what_to_do(settings):
    text = banner(settings(), "lite-1a2b", "cpu")
    assert f"http://127.0.0.1:{settings().port}" in text
    for words in ("lite-1a2b on cpu", "1. ", "2. ", "3. ", "Ctrl-C", "label-config"):
        assert words in text
    for words in ("last icon", "choose it again (its number key)", "✓", "Submit", "doctor"):
        assert words in text
    secret = banner(settings(webhook_secret="a-long-secret-word"), "v", "cpu")
    assert "a-long-secret-word" not in secret
    assert "/k/" in secret


def test_the_banner_asks_for_the_password_where_there_is_one(settings):
    assert "Basic Authentication" not in banner(settings(), "v", "cpu")
    guarded = settings(basic_auth_user="anna", basic_auth_password="a-password")
    text = banner(guarded, "v", "cpu")
    assert "Basic Authentication: your DYNAMITE_BASIC_AUTH_USER" in text
    assert "a-password" not in text


def test_the_banner_says_in_red_that_a_token_is_refused(serve, settings):
    real = LabelStudio(serve)
    real.show(WHO, send(b'{"email": "anna@example.com"}', Content_Type="application/json"))

    def said(token):
        told = settings(label_studio_url=real.url, label_studio_api_key=token)
        return banner(told, "v", "cpu", token_verdict(told))

    assert "✓ Label Studio: the legacy token of anna" in said(LEGACY)
    assert "\x1b[31m  ✗ Label Studio: the legacy token is not accepted" in said(LEGACY[::-1])
    assert "\x1b[31m" not in said(LEGACY)
    assert "not both set" not in said(LEGACY)
    unknown = settings()
    assert token_verdict(unknown) is None
    assert "LABEL_STUDIO_API_KEY (a personal access token) are not both set" in banner(
        unknown, "v", "cpu"
    )


def test_it_says_how_to_reach_it_from_cvat_only_where_that_is_on(settings):
    assert "CVAT" not in banner(settings(), "lite-1", "cpu")
    assert "doctor --cvat URL --token TOKEN" in banner(settings(cvat=True), "lite-1", "cpu")
