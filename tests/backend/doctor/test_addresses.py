"""What ``dynamite doctor`` reports about the servers at the given addresses."""

import pytest
from click.testing import CliRunner

from backend.cli import main
from backend.doctor.checks import check_backend, check_server
from backend.doctor.findings import Verdict
from backend.label_studio.api import LabelStudioApi
from backend.settings import SettingsError, load
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
