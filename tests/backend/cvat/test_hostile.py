"""What no CVAT sends: every answer is masks or a sentence, and the next click works."""

import base64
import json
import random
import struct
import zlib

import pytest

from backend.cvat.interactor_request import read_prompts
from backend.errors import BadRequestError
from tests.backend.cvat.cvat_page import CvatServer, a_frame, payload

FRAME = a_frame(40, 60)
GOOD = payload(FRAME, [(15, 20)], [(40, 30)], [(5, 5), (30, 30)])

ODD = [
    None,
    True,
    -1,
    1e308,
    10**400,
    "",
    "1",
    "x" * 5000,
    [],
    {},
    [[]],
    [None],
    [[1]],
    [[1, 2, 3]],
    [["1", "2"]],
    [[True, 1]],
    [[1e308, 1]],
    [[-500, 5]],
    [[5, 1e9]],
    [[[1, 2]]],
    [{"x": 1}],
    [[1, 2]] * 1001,
    "\ud83d\ude00",
    0,
]


def png(width, height, *, lies=False):
    """A PNG whose header promises a size; its pixels are one row of zeros."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    pixels = zlib.compress(bytes(1 + 3 * min(width, 100)))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def assert_unharmed(backend):
    masks = CvatServer(backend.client).masks(payload(FRAME, [(15, 20)]), size=(40, 60))
    assert len(masks) == 1


@pytest.mark.parametrize("field", ["image", "pos_points", "neg_points", "obj_bbox", "threshold"])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_an_odd_value_is_refused_in_words_or_does_no_harm(backend, field, odd):
    answer = CvatServer(backend.client).call(GOOD | {field: odd})
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        words = answer.json["error"]["message"]
        assert len(words) < 400 and "\n" not in words


@pytest.mark.parametrize("field", ["image", "pos_points", "neg_points"])
def test_a_missing_value_is_named(backend, field):
    answer = CvatServer(backend.client).call({k: v for k, v in GOOD.items() if k != field})
    assert answer.status_code == 400 and field in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (base64.b64encode(b"").decode(), "image_unreadable"),
        (base64.b64encode(b"<svg/>").decode(), "image_unreadable"),
        (base64.b64encode(FRAME[:-200]).decode(), "image_unreadable"),
        (base64.b64encode(png(60000, 60000)).decode(), "image_too_large"),
        (base64.b64encode(png(7000, 7000)).decode(), "image_unreadable"),
        ("!" + base64.b64encode(FRAME).decode(), "bad_request"),
        (base64.b64encode(FRAME).decode()[:-1], "bad_request"),
        (base64.b64encode(FRAME).decode() + "\n", "bad_request"),
    ],
    ids=["empty", "svg", "cut", "bomb", "hollow", "odd", "short", "line"],
)
def test_frames_that_are_none(backend, image, code):
    answer = CvatServer(backend.client).call(payload(b"", [(5, 5)]) | {"image": image})
    assert answer.json["error"]["code"] == code, answer.text
    assert answer.status_code < 500
    assert_unharmed(backend)


def test_five_thousand_broken_bodies(backend):
    rng = random.Random(23)
    whole = json.dumps(GOOD).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "CVAT/2.39.0"}
    statuses = set()
    for number in range(5000):
        path = ("/api/function_invocations", "/")[number % 2]
        answer = backend.client.post(path, data=broken(whole, rng), headers=headers)
        statuses.add(answer.status_code)
        assert answer.status_code < 500, answer.text
        json.loads(answer.data)
    assert {200, 400} <= statuses
    assert_unharmed(backend)


def broken(whole, rng):
    """A body with a value replaced, or bytes changed, cut out or doubled."""
    if rng.random() < 0.4:
        body = dict(GOOD)
        for _ in range(rng.randint(1, 3)):
            body[rng.choice([*GOOD, "threshold", "x"])] = rng.choice(ODD)
        return json.dumps(body)
    text = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        kind = rng.random()
        if kind < 0.5:
            text[at] = rng.choice(b'[]{}",:0123456789eE.-\\ABC\x00\xff')
        elif kind < 0.75:
            del text[at : at + rng.randint(1, 40)]
        else:
            text[at:at] = text[at : at + rng.randint(1, 40)]
    return bytes(text)


@pytest.mark.security
@pytest.mark.parametrize("path", ["/cvat/warm", "/cvat/webhook", "/cvat/boxes", "/"])
def test_a_body_that_does_not_arrive_whole_is_the_callers_fault(backend, caplog, path):
    class Broken:
        def read(self, *_):
            raise ValueError("chunk of find-me")  # as the web server: no OSError

        readinto = read

    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    environ = {"wsgi.input": Broken(), "wsgi.input_terminated": True}
    answer = backend.client.post(path, headers=headers, environ_overrides=environ)
    assert answer.status_code == 400, answer.text
    assert "find-me" not in caplog.text + answer.text


NONE = {"pos_points": [], "neg_points": [], "obj_bbox": []}


@pytest.mark.security
@pytest.mark.parametrize("field", NONE)
def test_of_a_million_positions_none_is_looked_at(field):
    class Position(list):
        def __len__(self):
            raise AssertionError("looked at")

    with pytest.raises(BadRequestError, match=rf"{field} has 1000000 positions"):
        read_prompts(**NONE | {field: [Position([1, 2])] * 10**6})
