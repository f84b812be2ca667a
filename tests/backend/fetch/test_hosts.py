"""Which hosts are allowed, and which addresses a name may resolve to."""

import pytest

from backend.errors import ImageRefusedError, ImageUnreachableError
from backend.fetch.hosts import AllowedHosts, resolve
from backend.fetch.url import Url

pytestmark = pytest.mark.security

PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.0.0.5",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "192.0.0.192",
    "168.63.129.16",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.5",
    "::127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "2001:0:5ef5:79fb:0:0:80ff:fffe",
]


def leads_to(*addresses: str):
    return lambda host, port: list(addresses)


def where(hosts: AllowedHosts, url: str) -> list[str]:
    return hosts.addresses(Url.parse(url))


@pytest.mark.parametrize("address", PRIVATE)
def test_a_listed_name_does_not_lead_inside(address: str) -> None:
    hosts = AllowedHosts(None, ["images.example.com"], leads_to(address))
    with pytest.raises(ImageRefusedError, match="not public"):
        where(hosts, "http://images.example.com/a.png")


def test_of_a_name_with_many_addresses_the_public_ones_count() -> None:
    hosts = AllowedHosts(None, ["a.example"], leads_to("10.0.0.1", "1.1.1.1", "2606:4700::1111"))
    assert where(hosts, "https://a.example/") == ["1.1.1.1", "2606:4700::1111"]


def test_a_private_address_that_is_listed_too_is_meant() -> None:
    hosts = AllowedHosts(None, ["a.example:9000", "10.0.0.5:9000"], leads_to("10.0.0.5"))
    assert where(hosts, "http://a.example:9000/") == ["10.0.0.5"]
    other_port = AllowedHosts(None, ["a.example:9000", "10.0.0.5:9001"], leads_to("10.0.0.5"))
    with pytest.raises(ImageRefusedError):
        where(other_port, "http://a.example:9000/")


def test_a_name_without_a_dot_is_of_the_own_network() -> None:
    for address in ("172.18.0.3", "127.0.0.1", "::1", "1.1.1.1"):
        hosts = AllowedHosts(None, ["minio:9000"], leads_to(address))
        assert where(hosts, "http://minio:9000/x") == [address]
    for address in ("169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1"):
        with pytest.raises(ImageRefusedError):
            where(AllowedHosts(None, ["minio:9000"], leads_to(address)), "http://minio:9000/x")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "1.1.1.1"])
def test_the_configured_server_may_be_anywhere(address: str) -> None:
    hosts = AllowedHosts(Url.parse("http://ls.example.com:8080"), [], leads_to(address))
    assert where(hosts, "http://ls.example.com:8080/data/x") == [address]


@pytest.mark.parametrize(
    "url",
    [
        "http://ls.example.com/",
        "https://ls.example.com:8080/",
        "http://ls.example.com:8081/",
        "http://ls.example.com.evil.example:8080/",
        "http://evil.example/",
        "http://127.0.0.1:8080/",
        "http://10.0.0.5/",
        "http://sub.cdn.example/",
        "http://cdn.example:8000/",
        "http://[::ffff:1.1.1.1]/",
    ],
)
def test_every_other_host_and_port_is_refused(url: str) -> None:
    own = Url.parse("http://ls.example.com:8080")
    hosts = AllowedHosts(own, ["cdn.example", "1.1.1.1"], leads_to("1.1.1.1"))
    with pytest.raises(ImageRefusedError, match="may not come from"):
        where(hosts, url)


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("cdn.example", "http://cdn.example/"),
        ("cdn.example", "https://cdn.example/"),
        ("CDN.example.", "https://cdn.example/"),
        ("cdn.example:8000", "https://cdn.example:8000/"),
        ("cdn.example:80", "http://cdn.example/"),
        ("10.0.0.5", "http://10.0.0.5/"),
        ("::1", "http://[::1]/"),
        ("[::1]:8080", "http://[0:0:0::1]:8080/"),
        (" cdn.example ", "http://cdn.example/"),
    ],
)
def test_what_a_listed_host_allows(listed: str, url: str) -> None:
    assert where(AllowedHosts(None, [listed], leads_to("1.1.1.1")), url)


def test_a_listed_port_is_only_that_port() -> None:
    hosts = AllowedHosts(None, ["cdn.example:80"], leads_to("1.1.1.1"))
    with pytest.raises(ImageRefusedError):
        where(hosts, "https://cdn.example/")


def test_an_address_is_never_looked_up() -> None:
    hosts = AllowedHosts(None, ["10.0.0.5"], leads_to("1.1.1.1"))
    assert where(hosts, "http://10.0.0.5/") == ["10.0.0.5"]


def test_an_unknown_name_is_said_to_be_one() -> None:
    with pytest.raises(ImageUnreachableError, match="not known"):
        resolve("x" * 64 + ".invalid", 80)  # too long to be asked of a server
    assert "127.0.0.1" in resolve("localhost", 80)
