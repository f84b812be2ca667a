"""The pictures of the documents, made of the real page: what the README names is there to be seen.

They are left in ``artifacts/e2e``; docs/images/README.md says what becomes of them.
"""

import pytest
import requests
from callouts import draw_callouts
from click.testing import CliRunner
from photo import LIVING_ROOM, by_label

from backend.cli import main
from backend.demo.project import LABELS

pytestmark = pytest.mark.e2e

WHERE = """
const seen = (found) => {
  const {left, top, width, height} = found.getBoundingClientRect();
  return [left, top, width, height];
};
const [kind] = arguments, all = (css) => [...document.querySelectorAll(css)];
return seen({
  switch: () => all('[data-testid=bottombar-auto-annotation-toggle]')[0].closest('label')
    ?? all('[data-testid=bottombar-auto-annotation-toggle]')[0].parentElement,
  point: () => all('.lsf-tool_smart').find((tool) => tool.getBoundingClientRect().width),
  row: () => all('.lsf-labels')[0],
  accept: () => all('[data-testid=bottombar-accept-suggestions-button]')[0],
  submit: () => all('button').find((button) => button.innerText.trim() === 'Submit'),
}[kind]());
"""

BESIDE = {
    "switch": (0, -44),
    "point": (-48, 0),
    "row": (0, -44),
    "accept": (0, -44),
    "submit": (0, -50),
}
"""What the README counts, and where its number stands."""


@pytest.fixture
def first_project(demo):
    """A project like the demo's, with a title of its own; its number and tasks."""
    return demo.project(LABELS, ("cat", "flowers"), title="Living room")


def test_what_the_readme_counts_is_on_the_page(demo, person, first_project):
    project, (task, _) = first_project
    person.open_task(project, task)
    for label, place in zip(("Animal 1", "Thing 1", "Thing 2"), LIVING_ROOM, strict=True):
        person.click(label, *place)
    assert len(by_label(person.suggestions())) == 3
    places = [(person.browser.run(WHERE, name), way) for name, way in BESIDE.items()]
    assert all(min(width, height) > 10 for (_, _, width, height), _ in places)
    page = person.screenshot("first-clicks-page")
    draw_callouts(page, page.with_name("first-clicks.png"), places)
    person.reject_all()


def test_the_status_page_tells_of_clicks_without_masks_and_of_the_next_training(
    demo, person, first_project, monkeypatch
):
    project, (accepted, forgotten) = first_project
    person.open_task(project, accepted)
    person.click("Animal 1", *LIVING_ROOM[0])
    person.accept_all()
    person.submit()
    person.open_task(project, forgotten)
    person.click("Plant", 50, 60)
    person.submit()
    person.browser.until(
        lambda: demo.api.get(f"/api/tasks/{forgotten}/annotations/"), "the annotation"
    )
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(demo.folder / "state"))  # a webhook may be lost
    access = ["--label-studio", demo.url, "--token", demo.token]
    CliRunner().invoke(main, ["sync", "--project", str(project), *access], catch_exceptions=False)

    def told():
        page = requests.get(demo.backend, timeout=20).text
        return page if f"task {forgotten} of project {project}" in page else None

    page = person.browser.until(told, "the annotation without masks")
    assert "of 50 new annotations until the next training" in page
    assert f"Living room (project {project})" in page
    person.browser.open(demo.backend)
    person.screenshot("status-page")
