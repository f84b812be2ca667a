import json
import socket
import stat

import pytest
from requests import Response

from backend.demo import label_studio
from backend.demo.project import FIRST_CLICKS, IMAGES, LABELS, PHOTOS, attach
from backend.demo.run import instructions, run
from backend.label_studio import config_check
from backend.label_studio.api import ApiError, detail
from backend.label_studio.config_writer import write
from backend.label_studio.labeling_config import parse
from backend.launcher.preflight import StartError, locked
from backend.settings import load, variable
from tests.ports import free_port


def test_the_login_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    first = label_studio.login(tmp_path)
    assert label_studio.login(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "login.json").stat().st_mode) == 0o600
    assert len(first.token) == 40
    assert label_studio.login(tmp_path / "other") != first


def test_label_studio_talks_to_nobody_and_takes_a_backend_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "of another one")
    given = label_studio.environment(tmp_path, label_studio.login(tmp_path))
    assert "LABEL_STUDIO_API_KEY" not in given
    assert given["ML_BLOCK_LOCAL_IP"] == given["SSRF_PROTECTION_ENABLED"] == "false"
    assert given["COLLECT_ANALYTICS"] == "0"
    assert given["SENTRY_DSN"] == given["FRONTEND_SENTRY_DSN"] == ""


def test_a_named_label_studio_must_be_one_that_runs(tmp_path, monkeypatch):
    with pytest.raises(label_studio.DemoError, match="nothing: there is no such program"):
        label_studio.executable(tmp_path, print, str(tmp_path / "nothing"))
    program = tmp_path / "label-studio"
    program.touch(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    for named in ("label-studio", str(program)):
        assert label_studio.executable(tmp_path, print, named) == program


def test_an_installation_shows_its_progress_and_why_it_failed(capfd):
    with pytest.raises(label_studio.DemoError, match=r"for the reason above: .* status 1$"):
        label_studio.run(["python3", "-c", "print('10 %'); raise SystemExit('boom')"])
    assert capfd.readouterr() == ("10 %\n", "boom\n")


def test_every_photo_is_named_with_its_licence():
    sources = (IMAGES / "SOURCES.md").read_text()
    photos = sorted(path.name for path in IMAGES.glob("*.jpg"))
    assert sorted(PHOTOS) == photos
    for name in photos:
        assert f"| {name} |" in sources
    assert "CC BY 2.0" in sources


def test_the_config_of_the_demo_has_nothing_wrong():
    assert config_check.problems(parse(write(LABELS))) == ()


def test_the_invitation_holds_all_one_needs(tmp_path):
    who = label_studio.login(tmp_path)
    check = "dynamite doctor --project 1"
    text = instructions("http://localhost:8080/projects/1/data?task=1", who, check)
    address = "http://localhost:8080/projects/1"
    for part in (
        address,
        *FIRST_CLICKS,
        who.email,
        who.password,
        "Auto-Annotation",
        "last icon",
        check,
    ):
        assert part in text
    assert who.token not in text


@pytest.fixture
def taken():
    """A port in use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free():
    return free_port()


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """Start a demo that cannot install anything; return its error."""
    monkeypatch.chdir(tmp_path)
    for name in ("label_studio_url", "label_studio_api_key", "state_dir"):
        monkeypatch.setenv(variable(name), "")  # the demo sets them

    def start(port, backend_port):
        monkeypatch.setenv(variable("port"), str(backend_port))
        with pytest.raises(StartError) as error:
            run(tmp_path / "demo", port, program=str(tmp_path / "nothing"))
        return str(error.value)

    return start


def test_a_taken_port_is_known_before_anything_is_installed_by_its_own_option(demo, taken, free):
    said = demo(port=free, backend_port=taken)
    assert f"127.0.0.1:{taken}" in said
    assert said.endswith("with --port or DYNAMITE_PORT (make demo PORT=…)")
    said = demo(port=taken, backend_port=free)
    assert f"127.0.0.1:{taken}" in said
    assert said.endswith("with --label-studio-port (make demo LABEL_STUDIO_PORT=…)")


def test_label_studio_and_the_backend_need_a_port_each(demo, free):
    assert f"--label-studio-port are both {free}" in demo(port=free, backend_port=free)


def test_a_second_demo_in_a_folder_names_the_folder_not_the_ports_it_holds(demo, taken, tmp_path):
    (tmp_path / "demo").mkdir()
    with locked(tmp_path / "demo" / "demo.lock", "held already"):
        said = demo(port=taken, backend_port=taken)
    assert f"a demo already runs in the folder {tmp_path / 'demo'}" in said
    assert "--folder" in said


class Rows:
    """Label Studio's list of backends."""

    def __init__(self, *urls):
        self.rows = [{"id": number, "url": url} for number, url in enumerate(urls)]

    def get(self, path, **query):
        return list(self.rows)

    def delete(self, path):
        self.rows = [row for row in self.rows if path != f"/api/ml/{row['id']}"]

    def post(self, path, body):
        self.rows.append({"id": 99} | body)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda **more: load(**({"host": "b", "port": 1} | more))


@pytest.mark.parametrize(
    "before", [[], ["http://b:1"], ["http://b:9"], ["http://b:9", "http://b:1"]]
)
def test_only_the_backend_that_runs_is_connected(settings, before):
    api = Rows(*before)
    attach(api, 1, settings())
    assert [row["url"] for row in api.rows] == ["http://b:1"]


SECRETS = {
    "basic_auth_user": "anna",
    "basic_auth_password": "a-password",
    "webhook_secret": "a-long-secret-word",
}


@pytest.mark.parametrize("before", [[], ["http://b:1/k/a-long-secret-word"]])
def test_label_studio_is_told_the_password_even_where_it_has_another(settings, before):
    api = Rows(*before)
    attach(api, 1, settings(**SECRETS))
    (row,) = api.rows
    assert row["url"] == "http://b:1/k/a-long-secret-word"
    assert row["auth_method"] == "BASIC_AUTH"
    assert (row["basic_auth_user"], row["basic_auth_pass"]) == ("anna", "a-password")
    assert row["is_interactive"] is True


@pytest.mark.parametrize("length", range(0, 300, 23))
def test_what_label_studio_says_of_the_address_does_not_show_its_secret(settings, length):
    class Refusing(Rows):
        def post(self, path, body):
            answer = Response()
            answer.status_code = 400
            words = f"{'so ' * (length // 3)} it met {body['url']} {'and so on ' * 40}"
            answer._content = json.dumps({"non_field_errors": [words]}).encode()
            raise ApiError(f"Label Studio says {detail(answer)}", 400)

    with pytest.raises(ApiError) as error:
        attach(Refusing(), 1, settings(**SECRETS))
    assert "a-long-s" not in str(error.value)
    assert str(error.value).endswith(" …")
    assert error.value.status == 400
