"""Broken files and masks: a value or the documented error, never another, within a bound."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dynamite import brush_rle, manifest, mask_png
from dynamite.checkpoints import checkpoint
from dynamite.errors import CheckpointError, InvalidInputError
from dynamite.manifest import ManifestError
from dynamite.registry import RegistryError
from tests.dynamite.registry.publishing import add, promote
from tests.hostile import broken, broken_json, ends_well, examples

pytestmark = pytest.mark.security

SIZE = (40, 60)
DISC = np.hypot(*np.ogrid[-20:20, -30:30]) < 15
SPECKLE = np.random.default_rng(0).random(SIZE) < 0.5
MASKS = (DISC, SPECKLE, np.zeros(SIZE, bool))
DEEP = (b"[" * 5000, b'{"a":' * 5000, b"1" * 5000, b'"\\ud800"', b"NaN", b"1e999")


@examples(500)
@given(broken([bytes(brush_rle.encode(mask)) for mask in MASKS]), st.sampled_from([SIZE, (1, 1)]))
def test_brush_rle(data, size):
    found = ends_well(lambda: brush_rle.decode(list(data), size), InvalidInputError)
    assert isinstance(found, InvalidInputError) or found.shape == size


@examples(500)
@given(broken([mask_png.encode(mask) for mask in MASKS]))
def test_png_masks(data):
    found = ends_well(lambda: mask_png.decode(data, 1_000_000), InvalidInputError, megabytes=64)
    assert isinstance(found, InvalidInputError) or found.dtype == np.uint8


def test_checkpoints(tmp_path, files):
    published = tmp_path / "published.pth"
    torch.save({"model": {"a.weight": torch.ones(3, 2)}}, published)
    old = tmp_path / "old.pth"
    torch.save({"model": {"a": torch.ones(2)}}, old, _use_new_zipfile_serialization=False)
    own = files["a"][0].read_bytes()
    samples = [own[:20_000], published.read_bytes(), old.read_bytes()]

    @examples(200)
    @given(broken(samples, DEEP))
    def check(data):
        (tmp_path / "broken").write_bytes(data)
        ends_well(lambda: checkpoint.read(tmp_path / "broken"), CheckpointError)

    check()


def test_the_registrys_files(tmp_path, registry, files):
    for name in add(registry, files, "a", "b"):
        promote(registry, name)
    found = sorted(registry.folder.rglob("*.json"))
    texts = [path.read_bytes() for path in found]

    @examples(300)
    @given(
        st.sampled_from(found),
        broken(texts, DEEP) | broken_json([json.loads(text) for text in texts]),
    )
    def check(path, data):
        good = path.read_bytes()
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        for ask in (
            registry.current,
            registry.versions,
            registry.entries,
            lambda: registry.get(path.parent.name),
        ):
            ends_well(ask, RegistryError)
        path.write_bytes(good)

    check()


def test_manifests(tmp_path):
    folder = tmp_path / "backup"
    folder.mkdir()
    (folder / "a").write_text("a")
    manifest.write_manifest(folder)
    text = (folder / manifest.FILE).read_bytes()

    @examples(300)
    @given(broken([text], DEEP) | broken_json([json.loads(text)]))
    def check(data):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        (folder / manifest.FILE).write_bytes(data)
        ends_well(lambda: manifest.check_manifest(folder), ManifestError)

    check()
