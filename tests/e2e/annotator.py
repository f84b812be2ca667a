"""What a person does in Label Studio's page, by name."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from browser import Browser

from backend.label_studio.api import LabelStudioApi
from backend.label_studio.kinds.table import BY_TYPE
from backend.label_studio.region_reader import read_region
from backend.session.paint import Paint

Mask = npt.NDArray[np.bool_]

PAGE = "const page = Htx.annotationStore.selected, image = page.names.get('image');"
REGION = """(r) => ({id: r.cleanId ?? r.id.split('#')[0], labels: r.labels ?? [],
  type: r.type.replace('region', ''),
  value: r.rle && !r.touches?.length ? {rle: Array.from(r.rle)} : r.serialize()?.value})"""
IS_MASK = "r => /^(brush|bitmask|polygon|vector)region$/.test(r.type)"
CALLS = """window.answers = [];
window.underWay = 0;
const send = window.fetch;
window.fetch = async (...call) => {
  window.underWay += 1;
  try {
    const answer = await send(...call);
    if (String(call[0].url ?? call[0]).includes('interactive-annotating'))
      window.answers.push(await answer.clone().json());
    return answer;
  } finally {
    window.underWay -= 1;
  }
};"""
SMART = {"point": "KeyPointTool-dynamic", "box": "RectangleTool-dynamic"}


def switch(name: str, text: str) -> str:
    """JavaScript that finds a switch of the bottom bar; releases before 1.23 give it no name."""
    labels = "[...document.querySelectorAll('label')]"
    return (
        f"document.querySelector('[data-testid={name}]') ?? "
        f"{labels}.find(e => e.innerText.includes('{text}'))"
    )


@dataclass(frozen=True)
class Region:
    """A mask on the page: one object, of several regions where it has parts."""

    id: str
    labels: tuple[str, ...]
    mask: Mask


class Annotator:
    """A person with a browser, at one Label Studio."""

    def __init__(
        self, browser: Browser, url: str, artifacts: Path, *, reaches_accepted: bool = True
    ) -> None:
        """``reaches_accepted``: the page makes a call for Ctrl + click into an accepted mask."""
        self.browser = browser
        self.url = url
        self.reaches_accepted = reaches_accepted
        self.project = self.task = 0
        self._artifacts = artifacts
        browser.run_first(CALLS)

    def log_in(self, email: str, password: str) -> None:
        self.browser.open(f"{self.url}/user/login/")
        self.browser.type("input[name=email]", email)
        self.browser.type("input[name=password]", password + "\ue007")
        self.browser.until(
            lambda: self.browser.run("return !location.pathname.startsWith('/user/login')"),
            "the login",
        )

    def open_task(self, project: int, task: int) -> None:
        self.project, self.task = project, task
        self.browser.open(f"{self.url}/projects/{project}/data?task={task}")
        toggle = switch("bottombar-auto-annotation-toggle", "Auto-Annotation")
        script = """const s = window.Htx && Htx.annotationStore && Htx.annotationStore.selected;
          const image = s && s.names && s.names.get('image');
          return !!(image && image.stageWidth > 100 && document.querySelector('.konvajs-content')
            && (TOGGLE))""".replace("TOGGLE", toggle)
        self.browser.until(lambda: self.browser.run(script), "the page of the task")
        switched = f"if (!Htx.autoAnnotation) ({toggle})?.click(); return Htx.autoAnnotation"
        self.browser.until(lambda: self.browser.run(switched), "Auto-Annotation")
        self.browser.until(self._settled, "the image to stay where it is")

    def _settled(self) -> bool:
        """Fit the image into the window: it is measured before the window has its size.

        While calls are under way, the page may build the annotation anew.
        """
        self.browser.run(PAGE + "image.sizeToFit()")
        before = self._state()
        time.sleep(0.3)
        return before == self._state() and not self.browser.run("return underWay")

    def _state(self) -> tuple[Any, ...]:
        annotation = self.browser.run(PAGE + "return page.id")
        return annotation, self.place(0, 0), self.place(100, 100)

    def choose(self, tool: str) -> None:
        """The smart point or the smart box: the Auto-Detect button cycles through them."""
        for _ in range(4):
            if (
                self.browser.run(
                    PAGE + "return image.getToolsManager().findSelectedTool()?.fullName"
                )
                == SMART[tool]
            ):
                return
            self.browser.run(
                """[...document.querySelectorAll('.lsf-tool_smart')]
                   .find(e => e.getBoundingClientRect().width).click()"""
            )
        raise AssertionError(f"the smart {tool} cannot be chosen")

    def label(self, control: str, name: str) -> None:
        """Click a label of a control, unless it is selected already."""
        script = (
            PAGE
            + """const [control, name] = arguments;
            const labels = [...page.names.values()].filter(t => /labels$/.test(t.type));
            const group = document.querySelectorAll('.lsf-labels')[
              labels.findIndex(t => t.name === control)];
            const tag = page.names.get(control).children.find(l => l.value === name)
              ?? page.names.get(control).tiedChildren.find(l => l.value === name);
            if (tag.selected) return;
            [...group.querySelectorAll('.lsf-label')].find(
              e => e.querySelector('.lsf-label__text').innerText === name).click();"""
        )
        self.browser.run(script, control, name)

    def click(
        self, label: str, x: float, y: float, *, negative: bool = False, inside: bool = False
    ) -> None:
        """A smart click at percentages of the image; waits for the answer.

        ``inside``: into a region that has been accepted, which needs Ctrl.
        """
        if inside and not self.reaches_accepted:
            pytest.skip("this Label Studio makes no call for a click into an accepted mask")
        self.choose("point")
        self.label("click", label)
        hold = "+".join(["Control"] * inside + ["Alt"] * negative)
        self._and_wait(lambda: self.browser.click_at(*self.place(x, y), hold=hold))

    def box(self, label: str, left: float, top: float, right: float, bottom: float) -> None:
        """A smart rectangle; waits for the answer."""
        self.choose("box")
        self.label("box", label)
        self._and_wait(lambda: self.browser.drag(self.place(left, top), self.place(right, bottom)))

    def drag_click(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag a smart click to another place; waits for the answer."""
        self._and_wait(lambda: self.browser.drag(self.place(*start), self.place(*end)))

    def answered(self) -> list[dict[str, Any]]:
        """The regions of the latest answer, as they came to the page."""
        regions: list[dict[str, Any]] = self.browser.run("return answers.at(-1).data.result")
        return regions

    def paint(self, label: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """A stroke of the ordinary brush."""
        self.browser.run(
            """[...document.querySelectorAll('.lsf-tool:not(.lsf-tool_smart)')]
               .find(e => e.getAttribute('aria-label') === 'brush-tool').click()"""
        )
        self.label("mask", label)
        self.browser.drag(self.place(*start), self.place(*end))
        self.browser.until(self.painted, "the stroke")
        self.browser.press("Escape")  # else the next label chosen would become the stroke's

    def erase(self, start: tuple[float, float], end: tuple[float, float], region: str) -> None:
        """A stroke of the eraser over a region."""
        self.browser.run(
            PAGE
            + """page.unselectAll();
            page.selectArea(page.regionStore.regions.find(
              r => (r.cleanId ?? r.id.split('#')[0]) === arguments[0]))""",
            region,
        )
        self.browser.run(
            """[...document.querySelectorAll('.lsf-tool:not(.lsf-tool_smart)')]
               .find(e => /erase/.test(e.getAttribute('aria-label'))).click()"""
        )
        self.browser.drag(self.place(*start), self.place(*end))
        self.browser.press("Escape")

    def painted(self) -> list[tuple[str, ...]]:
        """The labels of accepted or painted masks on the page."""
        found = self.browser.run(
            PAGE + f"return page.regionStore.regions.filter({IS_MASK}).map({REGION})"
        )
        return [tuple(one["labels"]) for one in found]

    def wait_until_saved(
        self, api: LabelStudioApi, task: int, *, masks: int, clicks: int | None = None
    ) -> None:
        """Wait until the draft holds so many masks (and keypoints)."""

        def saved() -> bool:
            drafts = api.get(f"/api/tasks/{task}/drafts")
            results = [one for draft in drafts for one in draft["result"]]
            points = [one for one in results if one["type"] == "keypointlabels"]
            objects = {one["id"].partition("~")[0] for one in results if one["type"] in BY_TYPE}
            return len(objects) == masks and clicks in (None, len(points))

        self.browser.until(saved, "the draft to be saved")

    def saved_mask(self, api: LabelStudioApi, task: int, region: str) -> Mask:
        """The mask of a region as the draft holds it."""
        (found,) = (
            one
            for draft in api.get(f"/api/tasks/{task}/drafts")
            for one in draft["result"]
            if one["id"] == region
        )
        return mask_of(found)

    def delete_click(self, label: str) -> None:
        """Select the newest keypoint of a label and delete it."""
        self._delete("keypointregion", label)

    def delete_mask(self, label: str) -> None:
        """Select the newest accepted mask of a label and delete it."""
        self._delete("brushregion", label)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Percentages of the image as a place in the window.

        The page may have given the image less room since it was fitted, and cut its edges off.
        """
        left, top, width, height = self.browser.run(
            PAGE
            + """const box = document.querySelector('.konvajs-content').getBoundingClientRect();
            if (image.zoomingPositionX < -1 || image.zoomingPositionY < -1) image.sizeToFit();
            return [box.left + image.zoomingPositionX, box.top + image.zoomingPositionY,
              image.stageWidth * image.zoomScale, image.stageHeight * image.zoomScale]"""
        )
        return left + x / 100 * width, top + y / 100 * height

    def suggestions(self) -> list[Region]:
        """The pending masks."""
        return self._regions("[...page.suggestions.values()]")

    def regions(self) -> list[Region]:
        """The accepted masks."""
        return self._regions("page.regionStore.regions")

    def accept_all(self) -> None:
        self._press("bottombar-accept-suggestions-button", "acceptAllSuggestions")

    def reject_all(self) -> None:
        self._press("bottombar-reject-suggestions-button", "rejectAllSuggestions")

    def accept(self, region_id: str) -> None:
        """The tick under one mask."""
        self._press_under(region_id, "tick")

    def reject(self, region_id: str) -> None:
        """The cross under one mask."""
        self._press_under(region_id, "cross")

    def auto_accept(self, *, on: bool) -> None:
        """The switch "Auto-Accept Suggestions", which is there while nothing is suggested."""
        if self.browser.run("return Htx.autoAcceptSuggestions") != on:
            toggle = switch("bottombar-auto-accept-toggle", "Auto-Accept")
            self.browser.run(f"({toggle}).click()")
        self.browser.until(
            lambda: self.browser.run("return Htx.autoAcceptSuggestions") == on, "Auto-Accept"
        )

    def undo(self) -> None:
        self.browser.press("z", hold="Control")

    def submit(self) -> None:
        self.browser.run(
            """[...document.querySelectorAll('button')]
               .find(e => /^(Submit|Update)$/.test(e.innerText.trim())).click()"""
        )

    def screenshot(self, name: str) -> Path:
        path = self._artifacts / f"{name}.png"
        self.browser.screenshot(path)
        return path

    def _delete(self, kind: str, label: str) -> None:
        self.browser.run(
            PAGE
            + """const [kind, label] = arguments;
            const found = page.regionStore.regions.filter(
              r => r.type === kind && r.labels.includes(label));
            page.unselectAll();
            page.selectArea(found.at(-1))""",
            kind,
            label,
        )
        self.browser.press("Backspace")

    def _press(self, button: str, action: str) -> None:
        """Press a button of the bottom bar; releases before 1.23 give it no name, but an action."""
        found = f"document.querySelector('[data-testid={button}]')"
        self.browser.run(PAGE + f"const found = {found}; found ? found.click() : page.{action}()")

    def _press_under(self, region_id: str, mark: str) -> None:
        """The pair of marks lies under its mask, the cross on the left."""
        place = self.browser.run(
            PAGE
            + """const [id, right] = arguments;
            const pending = [...page.suggestions.values()].find(one => one.cleanId === id);
            const {left, right: end, bottom} = pending.bboxCoordsCanvas;
            const away = (rect) => Math.hypot(
              rect.getAbsolutePosition().x + 32 - (left + end) / 2,
              rect.getAbsolutePosition().y - 10 - bottom);
            const pairs = image.stageRef.find('Rect').filter(
              rect => rect.width() === 64 && rect.height() === 32);
            const pair = pairs.sort((a, b) => away(a) - away(b))[0].getAbsolutePosition();
            const box = document.querySelector('.konvajs-content').getBoundingClientRect();
            return [box.left + pair.x + (right ? 48 : 16), box.top + pair.y + 16]""",
            region_id,
            mark == "tick",
        )
        self.browser.click_at(*place)
        gone = PAGE + (
            "return ![...page.suggestions.values()].some(one => one.cleanId === arguments[0])"
        )
        self.browser.until(lambda: self.browser.run(gone, region_id), f"the {mark} to act")

    def _and_wait(self, act) -> None:
        answered = "return answers.length"
        before = self.browser.run(answered)
        act()
        self.browser.until(
            lambda: (
                self.browser.run(answered) > before
                and not self.browser.run("return Htx.awaitingSuggestions")
            ),
            "an answer to the click",
        )

    def _regions(self, which: str) -> list[Region]:
        found = self.browser.run(PAGE + f"return {which}.filter({IS_MASK}).map({REGION})")
        height, width = self.browser.run(PAGE + "return [image.naturalHeight, image.naturalWidth]")
        frame = {"to_name": "image", "original_height": height, "original_width": width}
        objects: dict[str, Region] = {}
        for one in found:
            name, labels = one["id"].partition("~")[0], tuple(one["labels"])
            mask = mask_of({**frame, **one})
            if name in objects:
                mask |= objects[name].mask
            objects[name] = Region(name, labels, mask)
        return list(objects.values())


def mask_of(raw: dict[str, Any]) -> Mask:
    """The pixels of a region, as it is stored."""
    painted = read_region(raw, allow_unlabelled=True)
    assert isinstance(painted, Paint)
    return painted.pixels()
