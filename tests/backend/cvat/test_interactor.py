"""The interactor, called as CVAT does, its answers read as CVAT's pages do."""

import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from backend.cvat.generations import Generation, generation_of
from tests.backend.cvat.cvat_page import NEW, CvatServer, a_frame, from_runs, payload, shown
from tests.fakes import RADIUS

FRAME = a_frame()
BOXES = [(100, 100), (200, 200), (350, 100), (450, 200)]


def is_disc(mask, x, y):
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    disc = np.hypot(rows - y, columns - x) <= RADIUS
    return (mask == disc).mean() > 0.999


def test_the_function_is_an_interactor_of_the_contract_in_force(cvat):
    (one,) = cvat.functions().json.values()
    assert one == cvat.function().json
    said = one["metadata"]["annotations"]
    assert one["metadata"]["name"] == "dynamite" and said["type"] == "interactor"
    assert (said["version"], said["min_pos_points"], said["min_neg_points"]) == ("2", "0", "0")
    assert "startswith_box" not in said  # any text is true
    assert said["startswith_box_optional"] == "true"
    assert said["help_message"] and said["animated_gif"].startswith("data:image/gif;base64,R0lG")
    assert one["spec"]["description"] and one["status"]["httpPort"] == 9090
    assert all(isinstance(value, str) for value in said.values())


def test_another_function_is_unknown(cvat):
    assert cvat.function("sam").status_code == 404
    assert cvat.call(payload(FRAME, [(5, 5)]), "sam").status_code == 404


def test_a_click_gives_a_mask_at_its_place_in_every_version(any_cvat):
    (mask,) = any_cvat.masks(payload(FRAME, [(150, 210)]))
    assert is_disc(mask, 150, 210)


def test_direct_calls_are_told_by_their_shape(backend):
    direct = CvatServer(backend.client, via="direct")
    (mask,) = direct.masks(payload(FRAME, [(150, 210)]))
    assert is_disc(mask, 150, 210)
    wrong = direct.call({"image": "", "threshold": 0.5})
    assert wrong.status_code == 400 and "pos_points" in wrong.json["error"]["message"]
    assert backend.client.get("/").status_code == 200


@pytest.mark.parametrize("box", [[], None])
def test_no_box_is_an_empty_list_or_null(cvat, box):
    (mask,) = cvat.masks(payload(FRAME, [(150, 210)]) | {"obj_bbox": box})
    assert is_disc(mask, 150, 210)


def test_a_box_alone_gives_a_mask_inside(any_cvat):
    (mask,) = any_cvat.masks(payload(FRAME, box=[(200, 200), (100, 100)]))  # any two corners
    assert mask[150, 150]
    assert not mask[:100].any() and not mask[200:].any() and not mask[:, 200:].any()


def test_boxes_are_disjoint_objects_segmented_together(backend):
    body = payload(FRAME, box=BOXES)
    one, other = CvatServer(backend.client, NEW).masks(body)
    assert one[150, 150] and other[150, 400] and not (one & other).any()
    assert backend.predictor.segments == 1
    nested = body | {"obj_bbox": [BOXES[:2], BOXES[2:]]}
    assert len(CvatServer(backend.client, NEW).masks(nested)) == 2
    (both,) = CvatServer(backend.client).masks(body)  # an old page takes one mask
    assert (both == (one | other)).all()


@pytest.mark.parametrize("n", [1, 7, 150])
def test_n_boxes_give_at_most_n_disjoint_masks(backend, n):
    corners = [(2 + 25 * (i % 20), 2 + 25 * (i // 20)) for i in range(n)]
    box = [p for x, y in corners for p in ((x, y), (x + 20, y + 20))]
    masks = CvatServer(backend.client, NEW).masks(payload(FRAME, box=box))
    assert len(masks) == n and np.sum(masks, axis=0).max() == 1
    assert all(mask[y + 10, x + 10] for mask, (x, y) in zip(masks, corners, strict=True))


def test_a_click_in_a_box_refines_its_object_and_one_beside_it_widens_it(backend):
    cvat = CvatServer(backend.client, NEW)
    (inside,) = cvat.masks(payload(FRAME, [(110, 110)], box=BOXES[:2]))
    assert inside[110, 110] and not inside[:100].any()
    (wider,) = cvat.masks(payload(FRAME, [(150, 230)], box=BOXES[:2]))
    assert wider[230, 150]
    _, near = cvat.masks(payload(FRAME, [(480, 150)], box=BOXES))
    assert near[150, 480]


def test_a_negative_click_takes_away(any_cvat):
    (mask,) = any_cvat.masks(payload(FRAME, [(150, 210)], [(170, 210)]))
    assert mask[210, 140] and not mask[210, 172]


@pytest.mark.parametrize("neg", [[], [(5, 5)]], ids=["nothing", "only a negative click"])
def test_an_empty_answer_ends_well_in_every_version(any_cvat, neg):
    assert any_cvat.masks(payload(FRAME, neg=neg)) == []


def test_a_crop_by_region_of_interest(backend):
    left, top, right, bottom = 100, 50, 400, 350
    crop = a_frame(bottom - top, right - left)
    for version in ("2.70.0", "2.80.0"):
        (mask,) = CvatServer(backend.client, version).masks(
            payload(crop, [(60, 70)]), roi=(left, top, right, bottom)
        )
        assert is_disc(mask, 160, 120)


def test_the_next_click_neither_decodes_nor_encodes(backend, cvat, monkeypatch):
    cvat.masks(payload(FRAME, [(150, 210)]))
    monkeypatch.setattr("backend.cvat.interactor.decode", None)
    monkeypatch.setattr("backend.cvat.interactor.image_size", None)
    cvat.masks(payload(FRAME, [(150, 210), (200, 210)]))
    CvatServer(backend.client, NEW).masks(payload(FRAME, [(50, 60)]))
    assert backend.predictor.encodes == 1


def test_the_size_of_a_turned_frame_is_known_without_decoding(backend):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (600, 400)).save(file, "JPEG", exif=exif)
    (mask,) = CvatServer(backend.client, NEW).masks(
        payload(file.getvalue(), [(100, 500)]), size=(600, 400)
    )
    assert is_disc(mask, 100, 500)


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGB", "JPEG"), ("L", "JPEG"), ("RGBA", "PNG"), ("I;16", "PNG")]
)
def test_frames_as_cvat_sends_them(any_cvat, mode, kind):
    (mask,) = any_cvat.masks(payload(a_frame(300, 200, mode, kind), [(80, 90)]), size=(300, 200))
    assert is_disc(mask, 80, 90)


def test_twelve_megapixels_stay_small_where_they_can(backend):
    frame = a_frame(3000, 4000, kind="JPEG")
    size = {}
    for version in ("2.39.0", "2.60.0", "2.75.0"):
        answer = CvatServer(backend.client, version).call(payload(frame, [(2000, 1500)]))
        size[version] = len(answer.data)
        assert answer.status_code == 200
    assert size["2.75.0"] < 5_000 and size["2.39.0"] < 100_000
    assert size["2.60.0"] == pytest.approx(2 * 3000 * 4000, rel=0.01)
    assert backend.predictor.encodes == 1


@pytest.mark.parametrize(
    ("agent", "generation"),
    [
        ("CVAT/2.39.0 python-requests/2.32", Generation.CROP),
        ("CVAT/2.58.0", Generation.CROP),
        ("CVAT/2.59.0", Generation.FULL),
        ("CVAT/2.69.9", Generation.FULL),
        ("CVAT/2.70.0.dev1", Generation.SHAPES),
        ("CVAT/3.0", Generation.SHAPES),
        ("CVAT/", Generation.FULL),
        ("python-requests/2.70.0", Generation.FULL),
        ("", Generation.FULL),
        ("CVAT/99999999999.1", Generation.FULL),
    ],
)
def test_the_generation_is_told_by_the_version(agent, generation):
    assert generation_of(agent) is generation
    assert generation_of(agent, "crop") is Generation.CROP


def test_a_generation_can_be_forced(make_backend):
    backend = make_backend(cvat=True, cvat_answers="shapes")
    answer = CvatServer(backend.client, "2.39.0").call(payload(FRAME, [(150, 210)]))
    (shape,) = json.loads(answer.data)["shapes"]
    assert is_disc(from_runs(shape, (400, 600)), 150, 210)


def test_without_a_version_the_answer_is_right_everywhere(backend):
    unnamed = CvatServer(backend.client, None)
    answer = unnamed.call(payload(FRAME, [(150, 210)])).json
    assert answer.keys() == {"mask"} and is_disc(np.array(answer["mask"], bool), 150, 210)
    for version in ("2.39.0", "2.60.0", "2.80.0"):
        (mask,) = shown(answer, (400, 600), version)
        assert is_disc(mask, 150, 210)
        assert shown(unnamed.call(payload(FRAME)).json, (400, 600), version) == []


def test_busy_is_told_as_429_which_the_page_retries(make_backend):
    backend = make_backend(cvat=True, threads=2)
    backend.predictor.gate.clear()
    people = [
        threading.Thread(
            target=CvatServer(backend.parts.app.test_client()).call,
            args=(payload(a_frame(shade=i, mode="L"), [(5, 5)]),),
        )
        for i in range(2)
    ]
    for one in people:
        one.start()
    while backend.parts.admission._free_encoding._value:
        pass
    answer = CvatServer(backend.client).call(payload(FRAME, [(5, 5)]))
    backend.predictor.gate.set()
    for one in people:
        one.join()
    assert (answer.status_code, answer.json["error"]["code"]) == (429, "busy")


def test_the_status_page_names_versions_and_what_went_wrong(backend, cvat):
    assert "no click has come yet" in backend.client.get("/").text
    cvat.masks(payload(FRAME, [(150, 210)]))
    cvat.call(payload(FRAME, [(5000, 5)]))
    page = backend.client.get("/").text
    assert "CVAT/2.39.0: crop, calls: 1" in page
    assert "pos_points[0] is [5000, 5], outside the frame of 600×400 pixels" in page


def test_calls_are_timed_as_clicks_and_prelabelling_is_not(backend, cvat):
    def clicks():
        lines = backend.client.get("/metrics").text.splitlines()
        return next(x.split()[1] for x in lines if x.startswith("dynamite_click_seconds_count"))

    cvat.masks(payload(FRAME, [(150, 210)]))
    assert clicks() == "1.0"
    answer = backend.client.post("/cvat/boxes", json=payload(FRAME, box=BOXES))
    assert len(answer.json["masks"]) == 2
    assert clicks() == "1.0"


def test_it_is_off_by_default(make_backend):
    client = make_backend().client
    assert client.get("/api/functions").status_code == 404
    assert "CVAT" not in client.get("/").text
