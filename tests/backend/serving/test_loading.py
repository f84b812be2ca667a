import pytest

from backend.loading import DeviceError, choose_device


@pytest.mark.parametrize("wanted", ["cuda:77", "tpu", "cpu:x"])
def test_a_device_that_is_not_there_is_named(wanted):
    with pytest.raises(DeviceError, match=wanted):
        choose_device(wanted)


def test_auto_finds_one_and_cpu_is_always_there():
    assert choose_device("auto") in ("cpu", "cuda")
    assert choose_device("cpu") == "cpu"
