"""Projects named in the settings, with and without the source that they belong to."""

import pytest

from backend.settings import SettingsError, load
from backend.settings.lines import parse_lines, parse_projects
from training.annotation_store import ProjectKey


def test_a_bare_number_is_a_project_of_the_label_studio_that_is_served():
    lines = parse_lines("plants=3,4 cells=cvat:7 other=ls_berlin:3", "ls_paris")
    assert dict(lines.by_project) == {
        ("ls_paris", 3): "plants",
        ("ls_paris", 4): "plants",
        ("cvat", 7): "cells",
        ("ls_berlin", 3): "other",
    }
    assert lines.names == {"shared", "plants", "cells", "other"}


@pytest.mark.parametrize(
    ("source", "line"), [("label_studio", "plants"), ("cvat", "cells"), ("ls_berlin", "shared")]
)
def test_equal_numbers_of_different_sources_train_different_lines(source, line):
    settings = load(lines="plants=3 cells=cvat:3")
    assert settings.line_of(ProjectKey(source, 3)) == line


def test_another_name_of_label_studio_is_the_source_of_bare_numbers():
    settings = load(lines="plants=3", exhaustive_projects="3,cvat:4", label_studio_name="berlin")
    assert settings.line_of(ProjectKey("berlin", 3)) == "plants"
    assert settings.line_of(ProjectKey("label_studio", 3)) == "shared"
    named = [("berlin", 3), ("label_studio", 3), ("cvat", 4), ("berlin", 4)]
    assert [settings.is_exhaustive(ProjectKey(*one)) for one in named] == [True, False, True, False]


def test_all_projects_are_exhaustive_whatever_their_source():
    everything = parse_projects("DYNAMITE_X", "ALL", "label_studio")
    assert ("cvat", 3) in everything
    nothing = parse_projects("DYNAMITE_X", "", "label_studio")
    assert ("label_studio", 3) not in nothing


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": "a=1 b=label_studio:1"},
        {"lines": "a=cvat:1 a=cvat:1"},
        {"lines": "a=:1"},
        {"lines": "a=cvat:"},
        {"lines": "a=cvat:x"},
        {"lines": "a=CVAT:1"},
        {"lines": "a=x:y:1"},
        {"lines": "a=²"},
        {"exhaustive_projects": "cvat"},
        {"exhaustive_projects": "cvat:3;4"},
        {"label_studio_name": "Berlin 2"},
        {"label_studio_name": "../berlin"},
    ],
)
def test_projects_and_names_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(SettingsError):
        load(**wrong)


def test_equal_numbers_of_different_sources_may_have_lines_of_their_own():
    lines = parse_lines("a=1 b=cvat:1", "label_studio")
    assert (lines.of(("label_studio", 1)), lines.of(("cvat", 1))) == ("a", "b")
