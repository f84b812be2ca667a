"""Whoever sends a secret of the settings back, and wherever: no answer and no page shows it."""

import base64
import html

import pytest

from backend.label_studio.config_writer import write

pytestmark = pytest.mark.security

SECRETS = {
    "webhook_secret": "hush-hush-webhook",
    "basic_auth_user": "label-studio",
    "basic_auth_password": "pass<word>&'quoted'",
    "label_studio_url": "http://127.0.0.1:1",
    "label_studio_api_key": "0123456789abcdef",
}
HIDDEN = [
    SECRETS["webhook_secret"],
    SECRETS["basic_auth_password"],
    SECRETS["label_studio_api_key"],
]


@pytest.fixture
def backend(make_backend):
    backend = make_backend(cvat=True, **SECRETS)
    user_and_password = SECRETS["basic_auth_user"], SECRETS["basic_auth_password"]
    backend.client.environ_base["HTTP_AUTHORIZATION"] = basic(*user_and_password)
    return backend


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def shown(answer):
    return f"{answer.status} {answer.headers} {answer.text} {html.unescape(answer.text)}"


@pytest.mark.parametrize("secret", HIDDEN)
def test_a_secret_that_comes_in_does_not_go_out(backend, click, task, secret):
    client = backend.client
    answers = [
        backend.predict({"result": [click("A", 9, 9)]}, task=task(image=f"/missing/{secret}.png")),
        backend.predict({"result": [click(secret, 9, 9)]}),
        client.post("/setup", json={"project": "5.1", "schema": write([secret]) + secret}),
        client.get(f"/api/functions/{secret}"),
        client.get(f"/nowhere/{secret}?{secret}", headers={"Referer": f"http://x/k/{secret}/"}),
        client.get("/health", headers={"Host": f"{secret}.example"}),
    ]
    assert any(answer.status_code >= 400 for answer in answers)
    answers += [client.get(page) for page in ("/", "/metrics", "/versions", "/health")]
    assert all(answer.status_code == 200 for answer in answers[-4:])
    for answer in answers:
        assert secret not in shown(answer)
