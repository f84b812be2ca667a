"""What /setup may teach: tokens go where they belong, and nothing odd fails it."""

import threading

import pytest

from backend.label_studio.access import Access, keep, known_access
from backend.label_studio.setup import TRIAL
from tests.backend.http_servers import send

pytestmark = pytest.mark.security

SECRET = "a-long-secret-word"


def set_up(
    backend, hostname="http://ls:8080", token="creators", project="7.1", secret=None, **options
):
    body = {"project": project, "schema": "", "hostname": hostname, "access_token": token}
    address = f"/k/{secret}/setup" if secret else "/setup"
    answer = backend.client.post(address, json=body, **options)
    assert answer.status_code == 200, answer.text
    return answer.json["problems"]


@pytest.fixture
def fetchers(monkeypatch):
    """The settings of every fetcher that is opened."""
    opened = []
    monkeypatch.setattr("backend.label_studio.task_images.ImageFetcher", opened.append)
    return opened


def test_a_configured_token_goes_to_no_host_heard_at_setup(make_backend, fetchers):
    backend = make_backend(label_studio_api_key="the-admins", webhook_secret=SECRET)
    set_up(backend, "http://elsewhere:1", "", secret=SECRET)
    set_up(backend, "http://elsewhere:2", "creators", secret=SECRET)
    told = [(one.label_studio_url, one.token) for one in fetchers[1:]]
    assert told == [("http://elsewhere:1", None), ("http://elsewhere:2", "creators")]


def test_a_configured_address_gets_the_configured_token_or_the_one_heard(make_backend, fetchers):
    set_up(make_backend(label_studio_url="http://mine", label_studio_api_key="the-admins"))
    set_up(make_backend(label_studio_url="http://mine"))
    told = [(one.label_studio_url, one.token) for one in fetchers]
    assert told == [
        ("http://mine", "the-admins"),
        ("http://mine", None),
        ("http://mine", "creators"),
    ]


def test_workers_pair_tokens_and_addresses_as_the_web_process_does(make_backend):
    settings = make_backend(label_studio_api_key="the-admins").settings
    keep(Access("http://elsewhere:1", None), settings)
    assert known_access(settings) == Access("http://elsewhere:1", None)


def test_a_token_without_an_address_is_named_in_the_log_and_on_the_page(make_backend, caplog):
    backend = make_backend(label_studio_api_key="the-admins")
    assert "set LABEL_STUDIO_URL" in caplog.text
    page = backend.client.get("/").text
    assert "set LABEL_STUDIO_URL" in page
    assert "the-admins" not in page + caplog.text
    complete = make_backend(label_studio_url="http://mine", label_studio_api_key="the-admins")
    assert "LABEL_STUDIO_URL" not in complete.client.get("/").text


@pytest.mark.parametrize(("hostname", "token"), [("http://[x", "tok"), ("http://ls", "t o k")])
def test_an_unusable_hostname_is_a_problem_each_time_and_changes_nothing(backend, hostname, token):
    set_up(backend, "http://ls:8080", "tok")
    for _ in range(2):
        (problem,) = set_up(backend, hostname, token)
        assert "LABEL_STUDIO_URL" in problem
        assert backend.parts.label_studio.connection.address == "http://ls:8080"
    assert "LABEL_STUDIO_URL" in backend.client.get("/").text


@pytest.mark.parametrize("project", ["9" * 5000, "7\nCRITICAL all is lost", "²", None, {"a": 1}])
def test_a_project_that_is_no_number_is_not_shown(backend, caplog, project):
    assert set_up(backend, "http://[x", project=project)
    assert "project ?:" in caplog.text
    assert "CRITICAL" not in caplog.text


def test_a_hostile_configuration_makes_no_large_answer_or_page(backend):
    images = '<Image name="i" value="$i"/>' * 99
    tags = "".join(f'<KeyPointLabels name="k" toName="{"x" * 3000}{n}"/>' for n in range(99))
    for project in range(30):
        body = {"project": f"{project}.1", "schema": f"<View>{images}{tags}</View>"}
        answer = backend.client.post("/setup", json=body | {"hostname": "h" * 10**6})
        assert len(answer.data) < 20_000
    answer = backend.client.post("/setup", json={"hostname": "http://[" + "x" * 10**6} | TOKEN)
    assert len(answer.data) < 5_000
    assert len(backend.client.get("/").data) < 300_000


TOKEN = {"access_token": "tok", "project": "7.1"}


def test_nothing_is_learned_from_a_trial_of_doctor(backend):
    body = {"project": "7.1", "schema": "<View/>", "hostname": "http://ls:8080"}
    body |= {"access_token": "creators", "extra_params": TRIAL}
    answer = backend.client.post("/setup", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json["problems"], "what is wrong with the config is said all the same"
    assert backend.parts.label_studio.connection.address is None
    assert known_access(backend.settings) == Access(None, None)
    assert "Project 7" not in backend.client.get("/").text
    backend.client.post("/setup", json=body | {"extra_params": None})
    assert backend.parts.label_studio.connection.address == "http://ls:8080"
    assert "Project 7" in backend.client.get("/").text


def test_a_variable_that_is_no_setting_is_in_the_log(make_backend, monkeypatch, caplog):
    monkeypatch.setenv("DYNAMITE_PORTT", "5")
    make_backend()
    assert "DYNAMITE_PORTT is not a setting; did you mean DYNAMITE_PORT?" in caplog.text


WHO = "/api/current-user/whoami"


FORWARDED = [
    *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"),
    *("X-Original-Forwarded-For", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"),
    *("Fastly-Client-IP", "X-Cluster-Client-IP", "x-forwarded-for"),
]


@pytest.mark.parametrize("headers", [{name: "10.0.0.9"} for name in FORWARDED])
def test_a_caller_through_a_proxy_teaches_nothing(backend, headers):
    assert set_up(backend, headers=headers) == []
    assert backend.parts.label_studio.connection.address is None


def test_where_there_is_a_secret_only_those_who_know_it_teach(make_backend):
    backend = make_backend(webhook_secret=SECRET)
    set_up(backend)
    assert backend.parts.label_studio.connection.address is None
    set_up(backend, secret=SECRET)
    assert backend.parts.label_studio.connection.address == "http://ls:8080"


def test_a_caller_without_proof_does_not_replace_a_label_studio_that_answers(backend, serve):
    real = serve({WHO: send(b'{"id": 1}', Content_Type="application/json")})
    other = serve({WHO: send(b'{"id": 1}', Content_Type="application/json")})
    assert set_up(backend, real.url, "creators") == []
    (problem,) = set_up(backend, other.url, "creators")
    assert real.url in problem
    assert "LABEL_STUDIO_URL" in problem
    assert known_access(backend.settings) == Access(real.url, "creators")
    real.pages.clear()  # it has moved away
    assert set_up(backend, other.url, "creators") == []
    assert known_access(backend.settings) == Access(other.url, "creators")


def test_a_refused_token_does_not_replace_one_that_is_accepted(backend, serve):
    def who(handler):
        known = handler.headers["Authorization"] in ("Token anna", "Token ben")
        send(b'{"id": 1}' if known else b"{}", 200 if known else 401)(handler)

    server = serve({WHO: who})
    for token in ("anna", "ben"):  # each project sends the token of its own creator
        assert set_up(backend, server.url, token) == []
        assert known_access(backend.settings).token == token
    assert len(set_up(backend, server.url, "of-nobody")) == 1
    assert known_access(backend.settings).token == "ben"


def test_after_a_restart_what_was_known_is_not_forgotten(make_backend, serve):
    real = serve({WHO: send(b'{"id": 1}', Content_Type="application/json")})
    set_up(make_backend(), real.url)
    again = make_backend()
    assert len(set_up(again, "http://localhost:1", "creators")) == 1
    assert known_access(again.settings).url == real.url


def test_setup_says_in_words_what_will_not_work(backend, caplog):
    body = {"project": "7.1", "schema": '<View><Image name="i" value="$image"/></View>'}
    problems = backend.client.post("/setup", json=body).json["problems"]
    assert any("BrushLabels" in problem for problem in problems)
    assert problems[0] in caplog.text
    caplog.clear()
    backend.client.post("/setup", json=body)
    assert caplog.text == ""  # once is enough: Label Studio asks again and again
    assert problems[0].split("<")[0] in backend.client.get("/").text


def test_setup_teaches_the_address_unless_it_is_configured(make_backend):
    body = {"project": "7.1", "schema": "", "hostname": "http://ls:8080", "access_token": "tok"}
    taught = make_backend()
    taught.client.post("/setup", json=body)
    assert taught.parts.label_studio.connection.address == "http://ls:8080"
    fixed = make_backend(label_studio_url="http://mine", label_studio_api_key="k")
    fixed.client.post("/setup", json=body)
    assert fixed.parts.label_studio.connection.address == "http://mine"
    strange = make_backend()
    strange.client.post("/setup", json=body, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert strange.parts.label_studio.connection.address is None
    wary = make_backend(trust_setup=False)
    wary.client.post("/setup", json=body)
    assert wary.parts.label_studio.connection.address is None


def test_setup_does_not_wait_for_the_queue_server(backend, capture, monkeypatch):
    answers, noted = threading.Event(), []

    def note(redis, source, project):
        assert answers.wait(20)
        noted.append(project)

    monkeypatch.setattr("backend.label_studio.known_projects.note", note)
    assert backend.client.post("/setup", json=capture("setup-connect")).status_code == 200
    assert noted == []
    answers.set()
    backend.parts.answer_log.close()
    assert noted == [int(capture("setup-connect")["project"].partition(".")[0])]
