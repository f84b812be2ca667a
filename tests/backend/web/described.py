"""Calls a backend as the description of its routes says, and checks the answers against it."""

import base64
import re

import jsonschema_rs

from backend.web import description

SECRET = "a-secret-in-the-address"
PASSWORDS = {
    "password": ("label-studio", "a-long-password"),
    "cvat": ("cvat", "another-long-password"),
}
SETTINGS = {
    "cvat": True,
    "basic_auth_user": PASSWORDS["password"][0],
    "basic_auth_password": PASSWORDS["password"][1],
    "cvat_password": PASSWORDS["cvat"][1],
    "webhook_secret": SECRET,
}


def basic(scheme):
    mark = base64.b64encode(":".join(PASSWORDS[scheme]).encode()).decode()
    return {"Authorization": f"Basic {mark}"}


def routes(app):
    """Path and method of each route that a program has."""
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower()


def operations(described):
    """Path, method and what is said of each; with the secret in front where it may stand."""
    for path, item in described["paths"].items():
        for method in item.keys() - {"servers"}:
            for server in item.get("servers", described["servers"]):
                yield server["url"].rstrip("/") + path, method, item[method]


class Caller:
    """``seen`` are path, method and status of all answers, each as it is described."""

    def __init__(self):
        self.described = description.read()
        self.seen = set()

    def documented(self):
        for path, item in self.described["paths"].items():
            for method in item.keys() - {"servers"}:
                for status in item[method]["responses"]:
                    yield path, method, int(status)

    def each(self, status):
        """Path and method of what may be answered with a status."""
        return [(path, method) for path, method, its in self.documented() if its == status]

    def examples(self, path, method):
        """The described bodies, as arguments of the client; one without any for a GET."""
        content = self.described["paths"][path][method].get("requestBody", {}).get("content")
        if not content:
            return [{}]
        ((kind, form),) = content.items()
        if kind != "application/json":
            file = self.examples("/cvat/boxes", "post")[0]["json"]["image"]
            return [{"data": base64.b64decode(file), "content_type": kind}]
        given = form["examples"].values() if "examples" in form else [{"value": form["example"]}]
        return [{"json": one["value"]} for one in given]

    def call(self, backend, path, method, status, *, auth=True, headers=(), **request):
        said = self.described["paths"][path][method]
        schemes = [*PASSWORDS.keys() & {name for one in self.security(said) for name in one}]
        headers = {**(basic(schemes[0]) if auth and schemes else {}), **dict(headers)}
        request = {**self.examples(path, method)[0], **request}
        here = path.replace("{name}", request.pop("name", "dynamite"))
        answer = backend.client.open(here, method=method, headers=headers, **request)
        assert answer.status_code == status, (method, path, answer.text)
        self.check(said["responses"][str(status)], answer)
        self.seen.add((path, method, status))

    def security(self, said):
        return said.get("security", self.described["security"])

    def check(self, told, answer):
        if "$ref" in told:
            told = self.described["components"]["responses"][told["$ref"].split("/")[-1]]
        ((kind, form),) = told["content"].items()
        assert answer.mimetype == kind
        assert all(name in answer.headers for name in told.get("headers", ()))
        form = form["schema"] | {"components": self.described["components"]}
        jsonschema_rs.validate(form, answer.json if answer.is_json else answer.text)
