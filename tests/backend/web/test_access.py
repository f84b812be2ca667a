"""Who may call: known names only, and guessing is slow."""

import base64
import threading
import time

import pytest

from backend.settings import SettingsError, load
from backend.web.auth import GUESSES, Guesses

pytestmark = pytest.mark.security

PASSWORD = {"basic_auth_user": "ls", "basic_auth_password": "right"}


def basic(password):
    return {"Authorization": "Basic " + base64.b64encode(f"ls:{password}".encode()).decode()}


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:9090", "127.0.0.1:9090", "[::1]:9090", "10.1.2.3"),
        *(
            "localhost.:80",
            "[::FFFF:10.1.2.3]",
            "a.localhost",
            "backend:9090",
            "labels.example.com.",
            "my-laptop",
        ),
    ],
)
def test_calls_under_known_names_are_answered(make_backend, host):
    client = make_backend(host="my-laptop", known_hosts="backend, Labels.Example.com").client
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:9090", "localhost.evil.example", "backend"),
        *("127.0.0.1.nip.io", "127.0.0.1@evil.example", "evil.example@", "[::1"),
        *("evil\x1b[2J", "", ":9090", "evil.example@localhost", "localhost/evil", "localhost\t"),
        *("localhost:123456", "127.1", "0x7f.1", "2130706433", "::1", "[localhost]", "localhosT#"),
    ],
)
@pytest.mark.parametrize("path", ["/health", "/webhook", "/", "/nothing"])
def test_calls_under_other_names_are_refused(backend, caplog, host, path):
    answer = backend.client.get(path, headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert answer.json["error"]["code"] in ("unknown_host", "bad_request")
    assert "\x1b" not in caplog.text


def test_the_refusal_says_which_setting_to_change(backend):
    answer = backend.client.get("/health", headers={"Host": "backend:9090"})
    message = answer.json["error"]["message"]
    assert "'backend:9090'" in message
    assert "DYNAMITE_KNOWN_HOSTS" in message


@pytest.mark.parametrize("name", ["*", "http://backend", "backend:9090", "*.example.com"])
def test_known_hosts_are_names(name):
    with pytest.raises(SettingsError, match="DYNAMITE_KNOWN_HOSTS"):
        load(known_hosts=name)


def test_few_guesses_of_one_address_are_looked_at_at_once(make_backend):
    app = make_backend(**PASSWORD).parts.app
    answers = []

    def guess(number):
        answers.append(app.test_client().get("/", headers=basic(f"guess-{number}")).status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    assert set(answers) == {401, 429}
    assert answers.count(401) <= GUESSES * (1 + seconds)
    right = app.test_client().get("/", headers=basic("right"))
    assert right.status_code == 200
    other = {"REMOTE_ADDR": "10.0.0.7"}
    assert app.test_client().get("/", headers=basic("right"), environ_base=other).status_code == 200


def test_guesses_are_counted_by_address_and_forgotten():
    guesses, full = Guesses(seconds=0.2), []
    threads = [threading.Thread(target=guesses.slow_down, args=("a",)) for _ in range(GUESSES)]
    for thread in threads:
        thread.start()
    while not guesses.is_full("a"):
        time.sleep(0.001)
    full.append(guesses.is_full("b"))
    for thread in threads:
        thread.join()
    assert [*full, guesses.is_full("a")] == [False, False]
    assert not guesses._pending
