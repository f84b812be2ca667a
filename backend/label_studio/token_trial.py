"""Tries Label Studio's token before a click needs it: the page shows no error of a click."""

import logging
import threading
import time
from dataclasses import dataclass

from backend.label_studio.access import Access
from backend.label_studio.api import ApiError, LabelStudioApi
from dynamite.errors import DynamiteError

log = logging.getLogger(__name__)

WHO = "/api/current-user/whoami"

AGAIN = 600.0
"""Seconds after which an accepted token is tried again."""

AGAIN_IF_BAD = 5.0
"""The same for one that was not accepted: it may have been allowed meanwhile."""

NEW_TOKEN = "make a personal access token in Label Studio (Account & Settings)"  # noqa: S105

_REFUSED = (401, 403)


@dataclass(frozen=True)
class Verdict:
    """What Label Studio says of a token, in words, and what to do if it is not accepted.

    ``is_away``: it says nothing, since it does not answer.
    """

    is_good: bool
    words: str
    remedy: str = ""
    is_away: bool = False

    def __str__(self) -> str:
        return f"{self.words}: {self.remedy}" if self.remedy else self.words


def try_token(api: LabelStudioApi) -> Verdict:
    """Return whether Label Studio accepts the token, of either kind."""
    kind = "personal access token" if api.has_personal_token else "legacy token"
    try:
        me = api.get(WHO)
    except ApiError as error:
        if error.status in _REFUSED or api.has_personal_token:
            return Verdict(False, f"the {kind} is not accepted: {error}", _remedy(api))
        return Verdict(False, str(error), is_away=True)
    if not isinstance(me, dict):
        return Verdict(False, f"{api.url} is not the address of Label Studio", _at("its address"))
    return Verdict(True, f"the {kind} of {me.get('email', '?')} is accepted")


def try_access(access: Access, seconds: float) -> Verdict:
    """Return whether a Label Studio answers at an address and accepts the token."""
    if access.url is None:
        return Verdict(False, "Label Studio's address is not known", _at("its address"))
    if access.token is None:
        words = "there is no token, so no image of Label Studio can be fetched"
        return Verdict(False, words, f"{NEW_TOKEN} and {_at(access.url)}")
    try:
        with LabelStudioApi(access.url, access.token, seconds=seconds) as api:
            return try_token(api)
    except DynamiteError as error:  # of the token or the address itself
        return Verdict(False, str(error))


def _remedy(api: LabelStudioApi) -> str:
    if api.has_personal_token:
        return f"{NEW_TOKEN} and {_at(api.url)}"
    return (
        f"{NEW_TOKEN} and {_at(api.url)}; or let an owner allow legacy tokens (Organization → API "
        "Tokens Settings), which Label Studio refuses by default since 1.23"
    )


def _at(url: str) -> str:
    return f"start the backend with LABEL_STUDIO_URL={url} and LABEL_STUDIO_API_KEY=that token"


class TokenTrial:
    """Tries the token in a thread of its own, so that no call waits, and remembers the verdict."""

    def __init__(self, seconds: float = 5.0) -> None:
        """``seconds``: how long Label Studio may take."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._access: Access | None = None
        self._verdict: Verdict | None = None
        self._ends = 0.0  # when the verdict is too old; infinite while it is being found

    @property
    def verdict(self) -> Verdict | None:
        """What Label Studio said last; None before it was asked."""
        with self._lock:
            return self._verdict

    def begin(self, access: Access, *, may_be_away: bool = False) -> None:
        """Try an access in the background, unless that was done a short time ago.

        ``may_be_away``: Label Studio may not have started yet, so it is no news if it is away.
        """
        with self._lock:
            if access == self._access and time.monotonic() < self._ends:
                return
            if access != self._access:
                self._verdict = None
            self._access, self._ends = access, float("inf")
        arguments = (access, may_be_away)
        threading.Thread(target=self._run, args=arguments, name="token trial", daemon=True).start()

    def _run(self, access: Access, may_be_away: bool) -> None:
        verdict = try_access(access, self._seconds)
        with self._lock:
            if access != self._access:
                return  # another one is being tried meanwhile
            is_news = verdict != self._verdict
            self._verdict = verdict
            self._ends = time.monotonic() + (AGAIN if verdict.is_good else AGAIN_IF_BAD)
        if is_news and not (verdict.is_away and may_be_away):
            log.log(logging.DEBUG if verdict.is_good else logging.ERROR, "%s", verdict)
