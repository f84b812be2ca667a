"""The real ``cvat-sdk``: it reads the stand-in of these tests, and our masks as we write them."""

import numpy as np
import pytest
from cvat_sdk import make_client
from cvat_sdk.masks import encode_mask
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.cvat import rle
from tests.backend.cvat.fake_cvat import PERSONAL

SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(SIDES.flatmap(lambda size: arrays(np.bool_, size)))
def test_masks_are_written_as_the_sdk_writes_them_and_read_back(mask):
    if not mask.any():
        return
    points = rle.encode(mask)
    assert points == encode_mask(mask)
    assert (rle.decode(points, *mask.shape) == mask).all()


# The SDK itself leaves a temporary file open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_stand_in_answers_as_the_sdk_expects(fake):
    fake.add_task(1, project=4)
    mask = np.zeros(fake.size, bool)
    mask[5:9, 3:30] = True
    fake.draw(1, 0, rle.encode(mask))
    host, _, port = fake.url.rpartition(":")
    with make_client(host, port=int(port), access_token=PERSONAL) as client:
        job = client.jobs.retrieve(1)
        (shape,) = job.get_annotations().shapes
        assert [int(value) for value in shape.points] == rle.encode(mask)
        assert job.get_meta().frames[0].width == fake.size[1]
        assert [label.name for label in job.get_labels()] == ["Cat", "Dog"]
        with job.get_frame(0, quality="original") as frame:
            assert frame.read() == fake.frames[1, 0]
