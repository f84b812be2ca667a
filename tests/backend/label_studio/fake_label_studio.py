"""A server that asks for tokens as Label Studio does."""

import base64
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from backend.label_studio.task_images import FetchSettings, ImageFetcher
from tests.backend.http_servers import Answer, Serve, Server, send

LEGACY = "0123456789abcdef0123456789abcdef01234567"


def jwt(**claims: Any) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join(part.rstrip("=") for part in (*coded, "c2lnbmF0dXJl"))


PERSONAL = jwt(token_type="refresh", exp=9_999_999_999, iat=1, user_id=1)


class LabelStudio:
    """Hands out images to those with a token, in both ways of the real one."""

    def __init__(self, serve: Serve, prefix: str = "") -> None:
        self.issued: list[str] = []
        self.valid: set[str] = {f"Token {LEGACY}"}
        self.life = 300
        self.refuses_refresh = False
        self.server: Server = serve({prefix + "/api/token/refresh": self.refresh})
        self.url = self.server.url + prefix
        self.prefix = prefix

    def show(self, path: str, answer: Answer | None = None) -> None:
        self.server.pages[self.prefix + path] = self.guarded(answer or send())

    def guarded(self, answer: Answer) -> Answer:
        def page(handler: BaseHTTPRequestHandler) -> None:
            known = handler.headers.get("Authorization") in self.valid
            (answer if known else send(b'{"detail":"no"}', 401))(handler)

        return page

    def refresh(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(self.server.asked[-1].body)
        if self.refuses_refresh or body != {"refresh": PERSONAL}:
            send(b'{"detail":"Token is invalid","code":"token_not_valid"}', 401)(handler)
            return
        access = jwt(token_type="access", exp=1000 + self.life, iat=1000, n=len(self.issued))
        self.issued.append(access)
        self.valid = {f"Bearer {access}"}
        send(json.dumps({"access": access}).encode())(handler)

    def fetcher(self, token: str | None = LEGACY, **settings: Any) -> ImageFetcher:
        return ImageFetcher(FetchSettings(self.url, token, **settings))
