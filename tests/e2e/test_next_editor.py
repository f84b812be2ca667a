"""The next editor's calls through the real Label Studio, and its reading of masks in a browser.

Its page is in no release. The stand-in here sends what that page sends, from within Label Studio,
and reads the answer as it does: red on a transparent canvas. An accepted mask is stored as black.
"""

import base64

import numpy as np
import pytest
from photo import CAKE, CUP, inside, pixel

from backend.label_studio.labeling_config import parse
from dynamite import mask_png

pytestmark = pytest.mark.e2e

CONFIG = """<View><Image name="image" value="$image"/><BitmaskLabels name="mask" toName="image">
<Label value="Cake"/><Label value="Cup"/></BitmaskLabels></View>"""

CALL = """
const [backend, token, task, context] = arguments;
const headers = {"Content-Type": "application/json", Authorization: `Token ${token}`};
const body = JSON.stringify({task, context});
return fetch(`/api/ml/${backend}/interactive-annotating`, {method: "POST", headers, body})
  .then((answer) => answer.json())
  .then(async ({data, errors}) => {
    if (errors) return {toast: errors[0]};
    const [first] = data.result;
    const address = first && first.value.imageDataURL;
    if (!address) return {first};
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const drawn = canvas.getContext("2d");
    drawn.drawImage(image, 0, 0);
    const pixels = drawn.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      const alpha = pixels.data[i] > 127 ? 255 : 0;
      pixels.data.set([0, 0, 0, alpha], i);
    }
    drawn.putImageData(pixels, 0, 0);
    return {mask: canvas.toDataURL("image/png")};
  });
"""


class NextPage:
    """A task, open in the stand-in."""

    def __init__(self, demo, person):
        self.demo, self.browser = demo, person.browser
        self.project, (self.task,) = demo.project(config=CONFIG)
        person.open_task(self.project, self.task)
        (backend,) = demo.api.get("/api/ml", project=self.project)
        self.backend = backend["id"]
        self.regions = []

    def call(self, context):
        return self.browser.run(CALL, self.backend, self.demo.token, self.task, context)

    def points(self, *places, negative=()):
        values = [{"x": x, "y": y, "positive": True} for x, y in places]
        values += [{"x": x, "y": y, "positive": False} for x, y in negative]
        result = [{"type": "keypointlabels", "value": value} for value in values]
        return self.call({"result": result})

    def accept(self, answered, label):
        """Store an answer as a region with an id of the page's own, and save the draft."""
        height, width = mask_of(answered).shape
        self.regions.append(
            {
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {"imageDataURL": answered["mask"], "bitmasklabels": [label]},
                "id": f"own{len(self.regions)}",
                "from_name": "mask",
                "to_name": "image",
                "type": "bitmasklabels",
                "origin": "manual",
            }
        )
        draft = {"result": self.regions, "lead_time": 1}
        self.demo.api.post(f"/api/tasks/{self.task}/drafts?project={self.project}", draft)


def mask_of(answered):
    return mask_png.decode(base64.b64decode(answered["mask"].partition(",")[2])) > mask_png.SOLID


@pytest.fixture
def page(demo, person):
    return NextPage(demo, person)


def test_capabilities_arrive(page):
    answered = page.call({"event": "capabilities"})["first"]
    assert answered["type"] == "capabilities"
    assert answered["value"]["targets"] == [{"tag": "BitmaskLabels", "output": "mask"}]
    assert parse(CONFIG).outputs()[0].title == "BitmaskLabels"


def test_two_objects_one_after_the_other(page):
    cake = page.points(CAKE)
    assert pixel(mask_of(cake), CAKE)
    assert page.call({"event": "release"}) == {"first": None}
    page.accept(cake, "Cake")
    cup = page.points(CUP)
    assert pixel(mask_of(cup), CUP)
    assert not (mask_of(cake) & mask_of(cup)).any()
    away = inside(mask_of(cup), CUP)
    smaller = page.points(CUP, negative=[away])
    assert not pixel(mask_of(smaller), away)
    assert np.array_equal(mask_of(page.points(CUP)), mask_of(cup))


def test_the_sentence_of_an_error_reaches_the_page(page):
    cake = page.points(CAKE)
    page.accept(cake, "Cake")
    toast = page.points(CAKE)["toast"]
    assert toast.startswith("422 ")
    assert "This is a part of a region that is there already: point beside it" in toast
