"""Who is let in: by address, never through a proxy, with a password where one is set."""

import pytest

from tests.backend.cvat.cvat_page import CvatServer, a_frame, payload

BODY = payload(a_frame(), [(150, 210)])
OURS = "a-password-of-its-own"


def basic(password, user="cvat"):
    from base64 import b64encode

    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("peer", ["10.0.0.7", "192.168.1.5", "8.8.8.8", "::2"])
def test_other_machines_may_not_call(backend, peer):
    for answer in (
        CvatServer(backend.client, peer=peer).functions(),
        CvatServer(backend.client, peer=peer).call(BODY),
    ):
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "foreign_caller")
    assert f"{peer} may not call as CVAT" in backend.client.get("/").text


@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7"])
def test_networks_that_are_listed_may(make_backend, peer):
    backend = make_backend(cvat=True, cvat_peers="127.0.0.1, 10.0.0.0/8")
    assert CvatServer(backend.client, peer=peer).call(BODY).status_code == 200


def test_a_proxy_hides_who_calls(backend):
    answer = CvatServer(backend.client, **{"X-Forwarded-For": "1.2.3.4"}).call(BODY)
    assert answer.status_code == 403 and "no_proxy" in answer.json["error"]["message"]


def test_a_password_of_its_own(make_backend):
    backend = make_backend(
        cvat=True, cvat_password=OURS, basic_auth_user="ls", basic_auth_password="another"
    )
    assert CvatServer(backend.client, **basic(OURS)).call(BODY).status_code == 200
    for wrong in ({}, basic("another"), basic("another", "ls"), basic(OURS, "ls")):
        answer = CvatServer(backend.client, **wrong).call(BODY)
        assert answer.status_code == 401
    assert backend.client.get("/", headers=basic(OURS)).status_code == 401


def test_label_studios_password_is_not_asked_of_cvat(make_backend):
    backend = make_backend(cvat=True, basic_auth_user="ls", basic_auth_password="another")
    assert CvatServer(backend.client).call(BODY).status_code == 200


@pytest.mark.parametrize("path", ["/cvat/warm"])
def test_our_own_routes_ask_for_it(make_backend, path):
    backend = make_backend(cvat=True, basic_auth_user="ls", basic_auth_password="another")
    assert backend.client.post(path, data=a_frame()).status_code == 401
