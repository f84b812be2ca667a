"""A web server for each device: what is refused, what each is told, what HAProxy is told."""

import re

import pytest

from backend.launcher.banner import banner_of_several
from backend.launcher.devices import balancer_lines, one_for_each, parse_devices
from backend.launcher.environment import usable_cores
from backend.launcher.preflight import StartError
from backend.launcher.serve import web_child


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("0,1", ("cuda:0", "cuda:1")),
        ("cuda:2", ("cuda:2",)),
        (" 0 , cpu,cpu", ("cuda:0", "cpu", "cpu")),
    ],
)
def test_devices_are_named_by_number_or_as_torch_does(text, devices):
    assert parse_devices(text) == devices


@pytest.mark.parametrize("text", ["", "0,", "gpu", "cuda", "-1", "0;1", "auto"])
def test_what_is_no_list_of_devices_is_named(text):
    with pytest.raises(StartError, match=re.escape(repr(text))):
        parse_devices(text)


@pytest.mark.parametrize("text", ["0,cuda:0", "cuda:0,cuda:00"])
def test_a_gpu_has_one_web_server(text):
    with pytest.raises(StartError, match="cuda:0 twice"):
        parse_devices(text)


def test_a_long_list_is_refused():
    with pytest.raises(StartError, match="names 65 devices: at most 64"):
        parse_devices(",".join(["cpu"] * 65))


def test_each_has_a_port_and_its_share_of_the_cores(settings):
    servers = one_for_each(settings(port=9091), ["cuda:0", "cuda:1"])
    assert [(one.port, one.device) for one in servers] == [(9091, "cuda:0"), (9092, "cuda:1")]
    assert {one.torch_threads for one in servers} == {max(1, usable_cores() // 2)}
    assert {one.state_dir for one in servers} == {settings().state_dir}
    environment = web_child(servers[1], is_alone=False).environment
    assert environment["DYNAMITE_PORT"] == "9092"
    assert environment["DYNAMITE_DEVICE"] == "cuda:1"
    (chosen,) = one_for_each(settings(torch_threads=3), ["cpu"])
    assert chosen.torch_threads == 3


def test_the_only_one_named_is_the_one_that_serves(settings):
    (one,) = one_for_each(settings(port=9091), parse_devices("1"))
    environment = web_child(one, is_alone=True).environment
    assert environment["DYNAMITE_DEVICE"] == "cuda:1"
    assert environment["DYNAMITE_PORT"] == "9091"


def test_ports_that_do_not_exist_are_refused(settings):
    with pytest.raises(StartError, match="up to 65534"):
        one_for_each(settings(port=65535), ["cpu", "cpu"])


def test_the_banner_has_the_lines_for_haproxy(settings):
    servers = one_for_each(settings(port=9091), ["cuda:0", "cuda:1"])
    lines = balancer_lines(servers)
    assert lines == [
        "    server backend-1 127.0.0.1:9091",
        "    server backend-2 127.0.0.1:9092",
    ]
    text = banner_of_several(servers, "lite-1", with_worker=True)
    assert "\n".join(lines) in text
    assert "http://127.0.0.1:9092 on cuda:1" in text
    assert "Set LABEL_STUDIO_URL" in text
    known = settings(label_studio_url="http://localhost:8080", label_studio_api_key="token")
    assert "Set LABEL_STUDIO_URL" not in banner_of_several([known], "v", with_worker=True)


def test_an_address_of_all_interfaces_is_none_that_haproxy_can_call(settings):
    (line,) = balancer_lines([settings(host="0.0.0.0")])
    assert "0.0.0.0" not in line
    (line,) = balancer_lines([settings(host="::1", port=9091)])
    assert line.endswith(" [::1]:9091")
