"""What ``dynamite doctor`` reports about the servers at the given addresses."""

import pytest
from click.testing import CliRunner
from redis import Redis
from rq import Queue, Worker

from backend.cli import main
from backend.cli.addresses import web_address
from backend.doctor.checks import check_backend, check_server
from backend.doctor.findings import Verdict, bad, good
from backend.doctor.report import findings, report
from backend.jobs.job_queue import QUEUES
from backend.label_studio.api import LabelStudioApi
from backend.settings import SettingsError, load
from backend.settings.url_checks import without_page
from tests.backend.http_servers import send
from tests.backend.label_studio.ingest.conftest import Site

NOWHERE = "http://127.0.0.1:9"
HEALTH = {"status": "UP", "model_version": "lite-1", "device": "cpu"}


@pytest.fixture
def site():
    found = Site()
    yield found
    found.close()


def checked(url):
    with LabelStudioApi(url, "a-legacy-token") as api:
        (found,) = check_server(api)
    return found


def test_a_label_studio_is_good(site):
    found = checked(site.url)
    assert found.verdict is Verdict.GOOD
    assert "Label Studio 1.23.0" in found.message


def test_this_backend_is_not_taken_for_label_studio(site):
    site.answers = {"/health": HEALTH}
    found = checked(site.url)
    assert found.verdict is Verdict.BAD
    assert "this backend, not of Label Studio" in found.message


@pytest.mark.parametrize("version", [None, {}, [], {"detail": "who are you?"}])
def test_nor_is_anything_else(site, version):
    site.answers = {"/health": {"status": "UP"}, "/api/version": version}
    found = checked(site.url)
    assert found.verdict is Verdict.BAD
    assert "another server, not of Label Studio" in found.message


def test_where_nothing_answers_that_is_said():
    found = checked(NOWHERE)
    assert found.verdict is Verdict.BAD
    assert "nothing answers there" in found.message
    assert "is it running?" in found.fix


def test_a_backend_is_one_that_names_its_model(site):
    site.answers = {"/health": {"status": "UP"}}
    assert next(check_backend(site.url)).verdict is Verdict.BAD
    site.answers = {"/health": HEALTH}
    assert next(check_backend(site.url)).verdict is Verdict.GOOD


def test_a_backend_that_does_not_know_its_name_is_told_from_one_that_is_away(make_backend, serve):
    said = make_backend().client.get("/health", headers={"Host": "gpu-box"})
    server = serve({"/health": send(said.data, said.status_code)})
    (found,) = check_backend(server.url)
    assert found.verdict is Verdict.BAD
    assert "does not answer under the name 127.0.0.1" in found.message
    assert "DYNAMITE_KNOWN_HOSTS" in found.fix


@pytest.mark.parametrize(
    ("option", "more"), [("--backend", ["--label-studio", NOWHERE]), ("--label-studio", [])]
)
def test_an_address_without_its_scheme_is_named_with_its_option(option, more):
    result = CliRunner().invoke(main, ["doctor", option, "localhost:9", "--token", "t", *more])
    assert result.exit_code == 2
    assert f"'{option}'" in result.output
    assert "give http://localhost:9" in result.output


def test_so_is_one_in_the_environment(monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_URL", "localhost:9")
    with pytest.raises(SettingsError, match=r"LABEL_STUDIO_URL is 'localhost:9'.*http://localhost"):
        load()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://localhost:8080/projects/1/data?tab=3&task=7#x", "http://localhost:8080"),
        ("https://host/labels/user/login/", "https://host/labels"),
        ("https://host/labels", "https://host/labels"),
        ("http://host:9090/k/a-secret-of-mine", "http://host:9090"),
    ],
)
def test_the_address_of_a_page_is_understood(monkeypatch, given, meant):
    assert without_page(given) == meant
    assert web_address(None, None, given) == meant
    monkeypatch.setenv("LABEL_STUDIO_URL", given)
    assert str(load().label_studio_url).rstrip("/") == meant


def test_what_is_no_address_is_said():
    result = CliRunner().invoke(main, ["doctor", "--backend", "http://[::1", "--token", "t"])
    assert result.exit_code == 2
    assert "is no address" in result.output


def test_doctor_does_not_call_well_what_it_has_not_looked_at(site, queue_server):
    site.answers = {"/health": HEALTH}
    answers = {"release": "1.23.2", "email": "a@example.com"}
    site.answers |= {"/api/version": answers, "/api/current-user/whoami": answers}
    settings = load(redis_url=queue_server)
    with Redis.from_url(queue_server) as redis:
        Worker(
            [Queue(name, connection=redis) for name in QUEUES], connection=redis
        ).register_birth()
    lines = []
    assert report(findings(settings, site.url, "a-token", None, site.url), lines.append) == 0
    assert any(line.startswith(" ? project") and "--project N" in line for line in lines)
    assert lines[-1] == "What was checked is well; ? marks what was not."


def test_all_is_well_where_all_was_looked_at():
    lines = []
    report(iter([good("project", "fine")]), lines.append)
    assert lines[-1] == "All is well."
    report(iter([good("project", "fine"), bad("token", "no", "yes")]), lines.append)
    assert lines[-1] == "1 to fix."


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("1.13.1", []),
        ("1.12.1", ["may make no call for Ctrl + click"]),
        ("1.5.0", ["older than"]),
        ("?", []),
    ],
)
def test_what_a_release_is_too_old_for_is_named(site, release, words):
    site.answers = {"/api/version": {"release": release}}
    with LabelStudioApi(site.url, "token") as api:
        found = list(check_server(api))
    assert [one.check for one in found] == ["address", *["release"] * len(words)]
    assert all(any(said in one.message for one in found) for said in words)
