"""What can go wrong while serving, and how it is told: a stable code, a sentence, a status."""

from dynamite.errors import CheckpointError, DynamiteError, InvalidInputError


class ServingError(DynamiteError):
    """An error with the code and HTTP status it is answered with.

    ``code`` never changes once published, so that programs can tell errors apart; the sentence is
    for people.
    """

    code = "internal_error"
    status = 500

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class BadRequestError(ServingError):
    """The request is not JSON, lacks a field, or holds a value that cannot be used."""

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


def code_and_status(error: BaseException) -> tuple[str, int]:
    """The stable code and HTTP status of any error."""
    if isinstance(error, ServingError):
        return error.code, error.status
    code, status = getattr(error, "code", None), getattr(error, "status", None)
    if isinstance(error, DynamiteError) and isinstance(code, str) and isinstance(status, int):
        return code, status
    if isinstance(error, InvalidInputError):
        return "invalid_input", 422
    if isinstance(error, CheckpointError):
        return "model_unavailable", 503
    return "internal_error", 500


def sentence(error: BaseException) -> str:
    """What a caller is told: our own words, never those of an unexpected exception."""
    if isinstance(error, DynamiteError):
        return str(error)
    return "something unexpected went wrong; the log has the details under this request id"
