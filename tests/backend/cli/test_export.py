import base64
import json

import pytest

from backend.cli import main
from backend.cli.export import FORMS
from backend.label_studio.config_writer import write
from tests.backend.label_studio.ingest.conftest import Site, an_annotation, brush, mask
from tests.training.annotation_store.builders import annotation, photo
from training.annotation_store import AnnotationStore
from training.export.write import FORMATS


@pytest.fixture
def export(tmp_path, monkeypatch, capsys):
    """Call ``dynamite export``; its status and what it printed, its last line being the result."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["export", *arguments])
        printed = capsys.readouterr()
        return ended.value.code, printed.err + printed.out

    return call


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / ".state" / "retraining" / "annotations"
    folder.parent.mkdir(parents=True)
    (tmp_path / ".state").chmod(0o700)
    with AnnotationStore(folder) as found:
        yield found


def test_every_format_can_be_chosen():
    assert set(FORMS) == set(FORMATS)


@pytest.mark.parametrize("form", FORMS)
def test_the_store_is_exported(export, store, tmp_path, form):
    for number in (1, 2):
        store.apply(annotation(number, store.put_image(photo(number)), project=number))
    status, said = export("out", "--as", form)
    assert (status, said.splitlines()[-1]) == (0, "out: 2 images, 2 objects, 1 label")
    status, said = export("one", "--as", form, "--project", "2")
    assert (status, said.splitlines()[-1]) == (0, "one: 1 image, 1 object, 1 label")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".state", "one", "out"]


def test_what_exists_is_not_overwritten(export, store, tmp_path):
    store.apply(annotation(1, store.put_image(photo(1))))
    (tmp_path / "out").write_text("mine")
    status, said = export("out")
    assert status == 1
    assert "out exists already, and nothing is overwritten" in said
    assert (tmp_path / "out").read_text() == "mine"


def test_a_project_that_is_not_stored_is_named_with_those_that_are(export, store):
    store.apply(annotation(1, store.put_image(photo(1)), project=4))
    status, said = export("out", "--project", "3")
    assert status == 1
    assert "nothing is stored of project 3; there is: label_studio:4" in said


def test_without_a_store_the_way_to_label_studio_is_named(export):
    status, said = export("out")
    assert status == 1
    assert "give --label-studio and --project" in said


@pytest.fixture
def site(monkeypatch):
    found = Site()
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    picture = "data:image/png;base64," + base64.b64encode(photo(1)).decode()
    task = {"id": 1, "data": {"image": picture}, "total_annotations": 2}
    found.answers |= {
        "/api/projects/3": {"id": 3, "label_config": write(["B", "A"])},
        "/api/tasks": {"tasks": [task], "total": 1},
        "/api/tasks/1/annotations": [
            an_annotation(1, brush(mask(), "A"), completed_by=7),
            an_annotation(2, brush(mask(), "C", "r9"), completed_by={"id": 8}),
        ],
    }
    yield found
    found.close()


def test_a_project_of_label_studio_is_exported(export, site, tmp_path):
    where = ["--label-studio", site.url, "--token", "a-legacy-token"]
    status, said = export("out", *where)
    assert status == 2
    assert "give --project" in said
    status, said = export("out", *where, "--project", "3")
    assert (status, said.splitlines()[-1]) == (0, "out: 1 image, 1 object, 2 labels")
    assert "left out: region r9 of task 1: the label 'C' is not one of BrushLabels" in said
    content = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [one["name"] for one in content["categories"]] == ["B", "A"]
    assert content["images"][0]["annotator"] == 7
    assert [path.name for path in tmp_path.iterdir() if path.name != ".state"] == ["out"]


def test_a_label_studio_that_is_away_leaves_nothing_half(export, site, tmp_path):
    del site.answers["/api/tasks/1/annotations"]
    status, said = export(
        "out", "--label-studio", site.url, "--token", "a-legacy-token", "--project", "3"
    )
    assert status == 1
    assert "answers 404 to GET /api/tasks/1/annotations/" in said
    assert not (tmp_path / "out").exists()
