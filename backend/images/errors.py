"""Why an image cannot be had, each with the code and HTTP status it is answered with."""

from backend.errors import ServingError


class ImageError(ServingError):
    """An image of a task cannot be used."""

    code = "image_unusable"
    status = 422


class ImageUnreadableError(ImageError):
    """The bytes are no image, a damaged one, or of a kind that is not read."""

    code = "image_unreadable"


class ImageTooLargeError(ImageError):
    """More pixels or bytes than the settings allow."""

    code = "image_too_large"
    status = 413


class ImageRefusedError(ImageError):
    """The address or path is not one that images may come from."""

    code = "image_refused"
    status = 403


class ImageMissingError(ImageError):
    """There is nothing at that address or path."""

    code = "image_missing"
    status = 404


class ImageChangedError(ImageError):
    """Another image lies at the address than a moment ago."""

    code = "image_changed"
    status = 409


class ImageUnauthorizedError(ImageError):
    """The token is missing, or the server does not accept it."""

    code = "image_unauthorized"
    status = 502


class ImageUnreachableError(ImageError):
    """The server does not answer, or not with an image."""

    code = "image_unreachable"
    status = 502


class ImageTimeoutError(ImageUnreachableError):
    """The image did not arrive in time."""

    code = "image_timeout"
    status = 504
