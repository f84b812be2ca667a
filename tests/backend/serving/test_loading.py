import pytest

from backend.serving.loading import DeviceError, choose_device, load_model
from backend.settings import Settings


@pytest.mark.parametrize("wanted", ["cuda:77", "tpu", "cpu:x", "meta", "vulkan"])
def test_a_device_that_is_not_there_is_named(wanted):
    with pytest.raises(DeviceError, match=f"--device is '{wanted}', "):
        choose_device(wanted)
    with pytest.raises(DeviceError, match=f"DYNAMITE_DEVICE is '{wanted}', "):
        choose_device(wanted, "DYNAMITE_DEVICE")


def test_the_variable_to_change_is_named_where_a_setting_asked():
    with pytest.raises(DeviceError, match="DYNAMITE_DEVICE is 'tpu'"):
        load_model(Settings(device="tpu"))


def test_auto_finds_one_and_cpu_is_always_there():
    assert choose_device("auto") in ("cpu", "cuda")
    assert choose_device("cpu") == "cpu"
