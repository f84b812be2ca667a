"""Calls as the next editor sends them through Label Studio's server, composed, and its answers."""

import base64
import io

import numpy as np
from PIL import Image

CONFIG = """<View><Image name="image" value="$image"/><BitmaskLabels name="bm" toName="image">
<Label value="A"/><Label value="B"/></BitmaskLabels></View>"""
WIDTH, HEIGHT = 600, 400
TIME = "2026-11-30T10:05:00.000000Z"


def a_body(context, *, config=CONFIG, number=190, drafts=(), annotations=(), **data):
    """The body of ``/predict``, with all that Label Studio says of a task."""
    task = {
        "id": number,
        "annotations": list(annotations),
        "file_upload": "a1b2c3d4-photo.jpg",
        "drafts": list(drafts),
        "predictions": [a_prediction(number, 211), a_prediction(number, 212)],
        "data": data or {"image": "/data/upload/13/a1b2c3d4-photo.jpg"},
        "meta": {},
        "created_at": TIME,
        "updated_at": TIME,
        "allow_skip": True,
        "inner_id": 47,
        "total_annotations": 0,
        "cancelled_annotations": 0,
        "total_predictions": 2,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": 13,
        "updated_by": 1,
        "comment_authors": [],
    }
    return {
        "tasks": [task],
        "project": "13.1796031776",
        "label_config": config,
        "params": {"login": None, "password": None, "context": context},
    }


def a_prediction(task, number):
    """An empty prediction, as opening a task leaves behind."""
    return {
        "id": number,
        "result": [],
        "model_version": "v1",
        "created_ago": "0\u00a0minutes",
        "score": None,
        "cluster": None,
        "neighbors": None,
        "mislabeling": 0.0,
        "created_at": TIME,
        "updated_at": TIME,
        "model": None,
        "model_run": None,
        "task": task,
        "project": 13,
    }


def a_draft(*regions, user=1, saved=TIME, number=75):
    """The caller's draft."""
    return {
        "id": number,
        "user": f"user{user}@example.com",
        "created_username": f"user{user}@example.com, {user}",
        "created_ago": "0\u00a0minutes",
        "result": list(regions),
        "lead_time": 8.002,
        "was_postponed": False,
        "import_id": None,
        "created_at": TIME,
        "updated_at": saved,
        "task": 190,
        "annotation": None,
    }


def an_annotation(*regions, user=1, number=5):
    """A submitted annotation."""
    return {
        "id": number,
        "completed_by": user,
        "result": list(regions),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": TIME,
        "updated_at": TIME,
        "lead_time": 12.5,
        "task": 190,
        "project": 13,
    }


def an_accepted(mask, *, name="g96zMXJvy3", label="A"):
    """A region as the page stores an accepted mask: black, and opaque where the object is."""
    height, width = mask.shape
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[mask, 3] = 255
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "PNG")
    return {
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"imageDataURL": _url(file.getvalue()), "bitmasklabels": [label]},
        "id": name,
        "from_name": "bm",
        "to_name": "image",
        "type": "bitmasklabels",
        "origin": "manual",
    }


def points(*places, size=(WIDTH, HEIGHT)):
    """A context of points: x and y in pixels, and whether it is positive (yes if missing)."""
    return {"result": [_point(size, *place) for place in places]}


def box(x, y, width, height, size=(WIDTH, HEIGHT)):
    """A context of one box, in pixels."""
    across, down = 100 / size[0], 100 / size[1]
    value = {"x": x * across, "y": y * down, "width": width * across, "height": height * down}
    return {"result": [{"type": "rectanglelabels", "value": value}]}


def mask_of(answer):
    """The mask as the page reads it: red on a transparent canvas, of the first result alone."""
    (prediction,) = answer["results"]
    head, _, data = prediction["result"][0]["value"]["imageDataURL"].partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        drawn = np.asarray(image.convert("RGBA")).astype(int)
    return drawn[:, :, 0] * drawn[:, :, 3] // 255 > 127


def region_mask(region):
    """The mask of a region: the alpha of its PNG."""
    data = region["value"]["imageDataURL"].partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGBA"))[:, :, 3] > 127


def _point(size, x, y, positive=True):
    value = {"x": x * 100 / size[0], "y": y * 100 / size[1], "positive": positive}
    return {"type": "keypointlabels", "value": value}


def _url(data):
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
