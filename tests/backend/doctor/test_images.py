"""What ``dynamite doctor`` says of the images of a project's first task."""

import pytest

from backend.doctor.checks import check_images
from backend.doctor.findings import Verdict
from backend.label_studio.api import LabelStudioApi
from tests.backend.label_studio.ingest.conftest import Site
from tests.fakes import Photos


@pytest.fixture
def site():
    found = Site()
    yield found
    found.close()


def checked(site, config, data):
    site.answers |= {
        "/api/projects/3": {"label_config": config},
        "/api/tasks": {"tasks": [{"id": 5, "data": data}], "total": 1},
    }
    with LabelStudioApi(site.url, "a-legacy-token") as api:
        return list(check_images(api, 3, Photos(40, 60)))


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("$photo.url", {"photo": {"url": "/data/a.png"}}),
        ("$images[0]", {"images": ["/data/a.png"]}),
        ("/data/$name", {"name": "a.png"}),
    ],
)
def test_images_are_found_as_by_a_click(site, value, data):
    (found,) = checked(site, f'<View><Image name="i" value="{value}"/></View>', data)
    assert found.verdict is Verdict.GOOD


def test_a_value_that_leads_nowhere_is_named(site):
    (found,) = checked(site, '<View><Image name="i" value="$photo.url"/></View>', {"photo": "x"})
    assert found.verdict is Verdict.BAD
    assert "no address at '$photo.url'" in found.message


def test_the_images_of_a_repeater_are_found_or_missed(site):
    config = (
        '<View><Repeater on="$pages"><Image name="i_{{idx}}" value="$pages[{{idx}}]"/>'
        "</Repeater></View>"
    )
    found = checked(site, config, {"pages": ["/data/a.png", "/data/b.png"]})
    assert [one.verdict for one in found] == [Verdict.GOOD] * 2
    (found,) = checked(site, config, {})
    assert "no <Image>" in found.message
