"""Every part reports a Label Studio that redirects to its real URL with the same sentence."""

import pytest

from backend.doctor.checks import check_server
from backend.doctor.findings import Verdict
from backend.errors import ImageRefusedError, ImageUnreachableError
from backend.label_studio.api import ApiError, LabelStudioApi
from backend.label_studio.task_images import FetchSettings, ImageFetcher
from dynamite.errors import DynamiteError
from tests.backend.http_servers import PNG, Answer, Serve, Server, redirect, send
from tests.backend.label_studio.fake_label_studio import LEGACY, PERSONAL

PATHS = ("/data/upload/1/a.png", "/api/token/refresh", "/api/version", "/api/projects/1")
JSON = send(b'{"release": "1.23.2"}', Content_Type="application/json")


@pytest.fixture(params=["", "/labels"], ids=["at the top", "below a folder"])
def prefix(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def real(serve: Serve, prefix: str) -> Server:
    """Label Studio at its real URL; it needs no token."""
    return serve({prefix + path: send() if path.endswith("png") else JSON for path in PATHS})


@pytest.fixture(params=[301, 308])
def configured(serve: Serve, real: Server, prefix: str, request: pytest.FixtureRequest) -> str:
    """The configured URL, which redirects to the real one."""
    pages: dict[str, Answer] = {
        prefix + path: redirect(real.url + prefix + path, request.param) for path in PATHS
    }
    return serve(pages).url + prefix


@pytest.fixture
def sentence(real: Server, prefix: str) -> str:
    return f"Label Studio redirects to {real.url}{prefix}: set LABEL_STUDIO_URL to that"


@pytest.mark.parametrize("token", [None, LEGACY, PERSONAL], ids=["none", "legacy", "personal"])
@pytest.mark.parametrize("listed", [False, True], ids=["", "listed"])
def test_images(
    configured: str, sentence: str, real: Server, token: str | None, *, listed: bool
) -> None:
    settings = FetchSettings(configured, token, hosts=(real.at,) if listed else ())
    with pytest.raises(ImageUnreachableError) as caught:
        ImageFetcher(settings).fetch("/data/upload/1/a.png", 1)
    assert str(caught.value) == sentence
    assert not real.asked


@pytest.mark.parametrize("token", [LEGACY, PERSONAL], ids=["legacy", "personal"])
def test_the_api(configured: str, sentence: str, real: Server, token: str) -> None:
    with LabelStudioApi(configured, token) as api, pytest.raises(ApiError) as caught:
        api.get("/api/projects/1")
    assert str(caught.value) == sentence
    assert not [one for one in real.asked if one.method == "POST"], "the token bought nothing there"


def test_doctor(configured: str, sentence: str) -> None:
    with LabelStudioApi(configured, LEGACY) as api:
        (found,) = check_server(api)
    assert (found.check, found.verdict, found.message) == ("address", Verdict.BAD, sentence)


def test_a_redirect_to_another_page_of_the_same_address_is_followed(serve: Serve) -> None:
    """Label Studio appends a missing slash at the end of a URL."""
    server = serve({"/api/projects": redirect("/api/projects/", 301), "/api/projects/": JSON})
    with LabelStudioApi(server.url, LEGACY) as api:
        assert api.get("/api/projects")["release"] == "1.23.2"


def test_a_storage_on_the_same_host_is_no_other_label_studio(serve: Serve) -> None:
    storage = serve({"/bucket/a.png": send()})
    studio = serve({"/tasks/7/presign/": redirect(f"{storage.url}/bucket/a.png", 303)})
    fetcher = ImageFetcher(FetchSettings(studio.url, LEGACY, hosts=(storage.at,)))
    assert fetcher.fetch("s3://bucket/a.png", 7).data == PNG
    with pytest.raises(ImageRefusedError, match=f"{storage.at}.*DYNAMITE_IMAGE_HOSTS"):
        ImageFetcher(FetchSettings(studio.url, LEGACY)).fetch("s3://bucket/a.png", 7)


def test_a_token_is_not_exchanged_elsewhere(serve: Serve) -> None:
    """Another host may be a login page, so a person must configure Label Studio's URL."""
    other = serve({"/login": send(b'{"access": "x"}')}, host="127.0.0.2")
    studio = serve({"/api/token/refresh": redirect(f"{other.url}/login", 307)})
    words = r"redirects \(status 307\).*LABEL_STUDIO_URL"
    fetcher = ImageFetcher(FetchSettings(studio.url, PERSONAL, hosts=(other.at,)))
    with pytest.raises(DynamiteError, match=words):
        fetcher.fetch("/data/upload/1/a.png", 1)
    with LabelStudioApi(studio.url, PERSONAL) as api, pytest.raises(DynamiteError, match=words):
        api.get("/api/projects/1")
    assert not other.asked
