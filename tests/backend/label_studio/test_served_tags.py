"""Which page serves which tag, said at /setup, on the status page and by ``dynamite doctor``."""

import pytest

from backend.doctor.checks import check_project
from backend.doctor.findings import Verdict
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.config_writer import write
from backend.label_studio.labeling_config import parse
from backend.label_studio.served_tags import served_tags, too_new
from tests.backend.label_studio.ingest.conftest import Site


def alone(*tags):
    controls = "".join(f'<{tag} name="{tag}" toName="image"/>' for tag in tags)
    return f'<View><Image name="image" value="$image"/>{controls}</View>'


def served(xml):
    return served_tags(parse(xml))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("brush", "BrushLabels: in today's page; the next editor"),
        ("bitmask", "BitmaskLabels: in today's page since Label Studio 1.21.0, and in the next"),
        ("polygon", "PolygonLabels: in today's page, and in the next editor"),
        ("vector", "VectorLabels: in today's page since Label Studio 1.22.0, and in the next"),
    ],
)
def test_each_output_has_its_pages(output, words):
    (line,) = served(write(["A"], output=output))
    assert line.startswith(words)
    assert "in no release up to 1.23.2" in line


def test_without_a_smart_prompt_the_next_editor_alone_serves():
    (line,) = served(alone("BitmaskLabels"))
    assert line.startswith("BitmaskLabels: only in the next editor")
    (line,) = served(alone("RectangleLabels"))
    assert line.startswith("RectangleLabels: only in the next editor")
    (line,) = served(alone("BrushLabels"))
    assert line.startswith("BrushLabels: in no page")


def test_prompts_are_no_outputs():
    assert served(alone("KeyPointLabels", "Choices")) == ()


@pytest.mark.parametrize(
    ("release", "count"),
    [("1.19.0", 2), ("1.21.0", 1), ("1.21.0.post1", 1), ("1.22", 0), ("1.23.2", 0), ("2.0", 0)],
)
def test_a_release_may_be_too_old_for_a_tag(release, count):
    config = parse(alone("KeyPointLabels", "BrushLabels", "BitmaskLabels", "VectorLabels"))
    assert len(too_new(config, release)) == count


def test_setup_and_the_status_page_say_it(backend):
    body = {"project": "7.1", "schema": write(["A"], output="bitmask")}
    answer = backend.client.post("/setup", json=body).json
    (line,) = answer["served"]
    assert answer["problems"] == []
    page = backend.client.get("/").text
    assert line.split(",")[-1] in page
    assert "<th>Pages</th>" in page


@pytest.mark.parametrize("release", ["1.20.0", "1.23.2"])
def test_doctor_says_it_and_compares_the_release(backend, release):
    site = Site()
    config = write(["A"], output="bitmask")
    site.answers |= {
        "/api/projects/3": {"label_config": config, "title": "Cells"},
        "/api/version": {"release": release},
    }
    try:
        with LabelStudioApi(site.url, "a-legacy-token") as api:
            found = [f for f in check_project(api, 3, backend.settings) if f.check == "pages"]
    finally:
        site.close()
    assert found[0].message == served(config)[0]
    verdicts = [finding.verdict for finding in found]
    assert (Verdict.BAD in verdicts) == (release == "1.20.0")
