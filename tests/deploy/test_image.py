"""The image of the target ``cpu``, built step by step and started read-only, without an engine."""

import pytest

from tests.deploy.container import Container
from tests.deploy.image import Build, bare_debian, in_memory, missing, wheels
from tests.deploy.replicas import until

pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

PASSWORD = {"DYNAMITE_BASIC_AUTH_USER": "anna", "DYNAMITE_BASIC_AUTH_PASSWORD": "a-password"}
PHOTO = "/opt/dynamite/lib/python3.11/site-packages/backend/demo_images/cat.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if why := missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("image")
    with in_memory(folder):
        yield folder


@pytest.fixture(scope="module")
def image(folder):
    """The last stage of ``docker build --target cpu``."""
    built = Build(folder, bare_debian(), wheels("requirements.lock", "requirements-cpu.lock"))
    return built.stage("cpu")


@pytest.fixture(scope="module")
def container(image, folder):
    container = Container(image, folder, PASSWORD)
    yield container
    container.kill()


def test_it_starts_without_root_on_a_read_only_root_and_becomes_healthy(container, image):
    until(lambda: container.run(*image.healthcheck).returncode == 0)
    assert container.run("id", "-u").stdout.strip() == "10001"
    refused = container.run("sh", "-c", "echo > /opt/dynamite/mine")
    assert "Read-only file system" in refused.stderr
    rights = container.run("grep", "-E", "^(CapEff|CapBnd|NoNewPrivs)", "/proc/1/status").stdout
    assert rights.split() == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]


def test_it_has_what_a_mask_needs(container):
    words = [PHOTO, "--object", "250,220;325,345", "--out", "cat.png"]
    done = container.run("dynamite", "segment", *words)
    assert "object 1:" in done.stdout, done.stderr


@pytest.mark.parametrize("tool", ["gcc", "cc", "make", "ld", "pip", "pip3", "ensurepip"])
def test_its_last_stage_has_no_build_tools(container, tool):
    assert container.run("python", "-c", "print(1)").stdout == "1\n"
    assert container.run(tool, "--version").returncode != 0
    assert container.run("python", "-m", tool, "--version").returncode != 0


def test_it_stops_when_it_is_asked_to(container):
    assert container.stop() == 0, container.log
    assert "Stopping." in container.log
