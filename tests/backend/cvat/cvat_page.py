"""A stand-in for CVAT's server and page: calls as they do, and reads answers as the page would."""

import base64
import io
import json

import numpy as np
from PIL import Image

AGENT = "CVAT/{} python-requests/2.32.3"

OLD, MIDDLE, NEW = "2.39.0", "2.65.0", "2.74.0"

NUCLIO = {
    "x-nuclio-project-name": "cvat",
    "x-nuclio-function-namespace": "nuclio",
    "x-nuclio-invoke-via": "domain-name",
    "X-Nuclio-Invoke-Timeout": "120s",
}


def a_frame(height=400, width=600, mode="RGB", kind="PNG", shade=90):
    file = io.BytesIO()
    Image.new(mode, (width, height), shade if mode in ("L", "I;16") else None).save(file, kind)
    return file.getvalue()


def payload(image, pos=(), neg=(), box=()):
    """What the page sends; ``box`` is [] without one."""
    return {
        "image": base64.b64encode(image).decode(),
        "pos_points": [list(point) for point in pos],
        "neg_points": [list(point) for point in neg],
        "obj_bbox": [list(corner) for corner in box],
    }


class CvatServer:
    """Calls a backend as CVAT does: the function is looked up before every call."""

    def __init__(self, client, version=OLD, *, via="dashboard", peer="127.0.0.1", **headers):
        self.client, self.version, self.via = client, version, via
        self.headers = NUCLIO if via == "dashboard" else {}
        self.headers = self.headers | {"User-Agent": AGENT.format(version)} | headers
        if version is None:
            del self.headers["User-Agent"]
        self.environ = {"REMOTE_ADDR": peer}

    def function(self, name="dynamite"):
        return self.client.get(
            f"/api/functions/{name}", headers=self.headers, environ_base=self.environ
        )

    def functions(self):
        return self.client.get("/api/functions", headers=self.headers, environ_base=self.environ)

    def call(self, body, name="dynamite"):
        found = self.function(name)
        if found.status_code != 200:
            return found
        own = {"x-nuclio-function-name": name, "x-nuclio-path": "/"}
        path = "/api/function_invocations"
        if self.via == "direct":
            own, path = {}, "/"
        return self.client.post(
            path, json=body, headers=self.headers | own, environ_base=self.environ
        )

    def masks(self, body, size=(400, 600), roi=None):
        """The masks that the page shows after a call, H×W of the frame."""
        answer = self.call(body)
        assert answer.status_code == 200, answer.text
        return shown(json.loads(answer.data), size, self.version, roi)


def shown(answer, size, version, roi=None):
    """Read an answer as the page of a version does; each ends in its own way if it is another's."""
    major, minor = map(int, (version or OLD).split(".")[:2])
    if roi is not None:
        answer = through_roi(answer, size, roi)
    if (major, minor) < (2, 59):
        rows = answer["mask"]
        flat = [value for row in rows for value in row]
        if "points" not in answer and not any(flat):
            raise TypeError("Cannot read properties of undefined (reading 'length')")
        if "points" in answer and not answer["points"]:
            return []
        height, width = size
        left, top, right, bottom = answer.get("bounds") or (0, 0, width - 1, height - 1)
        mask = np.zeros(size, bool)
        # the page pushes the corners behind the runs of the flat mask
        mask[top : bottom + 1, left : right + 1] = np.reshape(
            flat, (bottom - top + 1, right - left + 1)
        )
        return [mask]
    if "mask" in answer:  # tested first, and bounds are ignored
        rows = np.array(answer["mask"])
        mask = np.zeros(size, bool)
        mask[: rows.shape[0], : rows.shape[1]] = rows
        return [mask] if mask.any() else []
    return [from_runs(one, size) for one in answer["shapes"] if one["type"] == "mask"]


def through_roi(answer, size, roi):
    """What CVAT's server makes of the answer to a crop of the frame (left, top, right, bottom)."""
    left, top, right, bottom = roi
    if "mask" in answer:
        full = np.zeros(size, int)
        full[top:bottom, left:right] = np.array(answer["mask"])  # a smaller one raises
        return answer | {"mask": full.tolist()}
    for one in answer["shapes"]:
        one["points"][-4:] = [
            a + b for a, b in zip(one["points"][-4:], (left, top) * 2, strict=True)
        ]
    return answer


def from_runs(shape, size):
    *runs, left, top, right, bottom = shape["points"]
    assert isinstance(shape["attributes"][0]["value"], str)
    assert 0 <= float(shape["attributes"][0]["value"]) <= 1
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    mask = np.zeros(size, bool)
    mask[top : bottom + 1, left : right + 1] = flat.reshape(bottom - top + 1, right - left + 1)
    return mask
