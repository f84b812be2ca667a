"""Settings of CVAT: whether it is answered, who may call, and what counts as accepted."""

from typing import Any, Literal, Self

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    Field,
    IPvAnyNetwork,
    SecretStr,
    TypeAdapter,
    field_validator,
    model_validator,
)

from backend.settings.lines import NAME
from backend.settings.url_checks import WEBHOOK_SECRET, without_page

LOOPBACK = TypeAdapter(tuple[IPvAnyNetwork, ...]).validate_python(("127.0.0.0/8", "::1/128"))


class CvatSettings(BaseModel):
    """What the adapter of CVAT is told."""

    cvat: bool = Field(False, description="answer CVAT as its function host")
    cvat_peers: tuple[IPvAnyNetwork, ...] = Field(
        LOOPBACK,
        description="networks that CVAT may call from: 172.16.0.0/12, 10.1.2.3; it sends no "
        "credentials",
    )
    cvat_password: SecretStr | None = Field(
        None,
        description="password that CVAT must send: CVAT_NUCLIO_HOST=cvat:PASSWORD@HOST; CVAT shows "
        "it to annotators in error messages, so use it for nothing else",
    )
    cvat_answers: Literal["auto", "crop", "full", "shapes"] = Field(
        "auto",
        description="form of the answers; auto: by the version that CVAT names; crop: before 2.59; "
        "full: any, but large; shapes: from 2.70",
    )
    cvat_url: AnyHttpUrl | None = Field(
        None, description="URL of CVAT, to collect accepted jobs and prepare frames"
    )
    cvat_token: SecretStr | None = Field(
        None, description="access token of CVAT, personal or of its API"
    )
    cvat_webhook_secret: SecretStr | None = Field(
        None, description="secret that CVAT signs webhooks with"
    )
    cvat_accepted: Literal["completed", "acceptance"] = Field(
        "completed", description="accepted jobs: those in state completed or in stage acceptance"
    )
    cvat_name: str = Field(
        "cvat",
        description="name of this CVAT where several feed one store; lower-case letters, digits, "
        "underscores",
    )

    @field_validator("cvat_peers", mode="before")
    @classmethod
    def _split_peers(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cvat_url", mode="before")
    @classmethod
    def _check_cvat_url(cls, value: Any) -> Any:
        if isinstance(value, str) and value and "://" not in value:
            raise ValueError(f"it has no http://: set http://{value}")
        return without_page(value) if isinstance(value, str) and value else value

    @field_validator("cvat_password")
    @classmethod
    def _check_cvat_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not WEBHOOK_SECRET.fullmatch(value.get_secret_value()):
            raise ValueError(
                "must be at least 12 letters, digits or any of . _ ~ - because it is part of a "
                "URL: `openssl rand -hex 24` makes one"
            )
        return value

    @field_validator("cvat_name")
    @classmethod
    def _check_cvat_name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("must be lower-case letters, digits and underscores")
        return value

    @model_validator(mode="after")
    def _check_cvat_access(self) -> Self:
        if self.cvat_token is not None and self.cvat_url is None:
            raise ValueError("DYNAMITE_CVAT_TOKEN is sent only to DYNAMITE_CVAT_URL: set both")
        return self
