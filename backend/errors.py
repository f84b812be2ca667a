"""Errors of the serving side, each with a stable code, a sentence and an HTTP status.

ServingError
├── BadRequestError
│   └── NotJsonError
├── RequestTooLargeError
├── UnauthorizedError
├── UnknownHostError
├── TooManyGuessesError
└── ImageError
    ├── ImageUnreadableError
    ├── ImageTooLargeError
    ├── ImageRefusedError
    ├── ImageMissingError
    ├── ImageChangedError
    ├── ImageBusyError
    ├── ImageUnauthorizedError
    └── ImageUnreachableError
        └── ImageTimeoutError
"""

import errno

from dynamite.errors import CheckpointError, DynamiteError, InvalidInputError


class ServingError(DynamiteError):
    """An error with the code and HTTP status of its answer.

    ``code`` is for programs and never changes once published; the message is for people.
    """

    code = "internal_error"
    status = 500

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class BadRequestError(ServingError):
    """The request is not JSON, lacks a field, or holds an unusable value."""

    code = "bad_request"
    status = 400


class NotJsonError(BadRequestError):
    """The request's body is not JSON."""

    code = "not_json"


class RequestTooLargeError(ServingError):
    """The request's body has more bytes than the settings allow."""

    code = "request_entity_too_large"
    status = 413


class UnauthorizedError(ServingError):
    """The request lacks the password it needs."""

    code = "unauthorized"
    status = 401


class UnknownHostError(ServingError):
    """The request is for a name that is not this backend's."""

    code = "unknown_host"
    status = 421


class TooManyGuessesError(ServingError):
    """Too many wrong passwords came from the same address at once."""

    code = "too_many_guesses"
    status = 429


class TooManyEventsError(ServingError):
    """Very many events wait to be confirmed by Label Studio."""

    code = "too_many_events"
    status = 503


class ImageError(ServingError):
    """The image of a task cannot be used."""

    code = "image_unusable"
    status = 422


class ImageUnreadableError(ImageError):
    """The bytes are not an image, or a damaged one, or in an unsupported format."""

    code = "image_unreadable"


class ImageTooLargeError(ImageError):
    """The image has more pixels or bytes than the settings allow."""

    code = "image_too_large"
    status = 413


class ImageRefusedError(ImageError):
    """Images may not come from this URL or path."""

    code = "image_refused"
    status = 403


class ImageMissingError(ImageError):
    """There is nothing at the URL or path."""

    code = "image_missing"
    status = 404


class ImageChangedError(ImageError):
    """The URL returned a different image a moment ago."""

    code = "image_changed"
    status = 409


class ImageBusyError(ImageError):
    """Other large images take all the memory that images may take."""

    code = "image_busy"
    status = 503


class ImageUnauthorizedError(ImageError):
    """The token is missing, or the server does not accept it."""

    code = "image_unauthorized"
    status = 502


class ImageUnreachableError(ImageError):
    """The server does not answer, or does not answer with an image."""

    code = "image_unreachable"
    status = 502


class ImageTimeoutError(ImageUnreachableError):
    """The image did not arrive in time."""

    code = "image_timeout"
    status = 504


_FULL = (errno.ENOSPC, errno.EDQUOT)


def code_and_status(error: BaseException) -> tuple[str, int]:
    """Return the stable code and the HTTP status for any error."""
    if isinstance(error, ServingError):
        return error.code, error.status
    code, status = getattr(error, "code", None), getattr(error, "status", None)
    if isinstance(error, DynamiteError) and isinstance(code, str) and isinstance(status, int):
        return code, status
    if isinstance(error, InvalidInputError):
        return "invalid_input", 422
    if isinstance(error, CheckpointError):
        return "model_unavailable", 503
    if is_disk_full(error):
        return "disk_full", 507
    return "internal_error", 500


def sentence(error: BaseException) -> str:
    """Return the message for a caller; the text of an unexpected exception is never shown."""
    if isinstance(error, DynamiteError):
        return str(error)
    if is_disk_full(error):
        return (
            "the disk of the state folder (DYNAMITE_STATE_DIR) is full, or its quota is used up: "
            "free some space, then try again"
        )
    return "something unexpected went wrong; the log has the details under this request id"


def is_disk_full(error: BaseException) -> bool:
    """Whether there is no space left to write to."""
    return isinstance(error, OSError) and error.errno in _FULL
