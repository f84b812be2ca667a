"""Every setting of the serving side with its type, default, meaning and checks.

A value comes from the command line, else from the environment, else from the settings file, else
from the default below. An empty value, such as ``X=`` in a file of variables or ``x = ""`` in the
settings file, counts as not set.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    AliasChoices,
    AnyHttpUrl,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from backend.settings.cvat import CvatSettings
from backend.settings.host_checks import NOT_SENT, check_host, check_host_and_port
from backend.settings.private_folder import private_folder
from backend.settings.retraining import RetrainingSettings
from backend.settings.toml_file import file_values
from backend.settings.typos import PREFIX
from backend.settings.url_checks import check_queue_url, check_webhook_secret, without_page
from dynamite.network.config import PRESETS

MEGABYTE = 1_000_000

SHARED = Path("/tmp")  # noqa: S108
"""Where the queue's socket lies if the path of the state folder is too long."""


def _shared(name: str) -> Any:
    """Name a setting by a common variable that has no prefix."""
    return AliasChoices(name, name.lower())


class Settings(RetrainingSettings, CvatSettings, BaseSettings):
    """All settings of the serving side; each field's description is its user documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # else a folder "" would be the working directory
        enable_decoding=False,  # several names are separated by commas, not written as JSON
        extra="forbid",
        frozen=True,
        populate_by_name=True,
    )

    host: str = Field(
        "127.0.0.1", description="address to listen on; set 0.0.0.0 to accept other machines"
    )
    port: int = Field(9090, ge=1, le=65535, description="port to listen on")
    threads: int = Field(64, ge=2, le=256, description="how many requests may wait for the model")
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=600,
        description="behind a load balancer: how long it goes on answering after SIGTERM, while "
        "/health says that it drains, seconds",
    )
    known_hosts: tuple[str, ...] = Field(
        (),
        description="names under which it is called, besides localhost, DYNAMITE_HOST and "
        "addresses: those of a proxy or a container",
    )

    preset: str = Field("lite", description=f"model preset: {', '.join(PRESETS)}")
    checkpoint: Path | None = Field(
        None, description="file of the weights; empty: the shipped ones"
    )
    device: str = Field("auto", description="device of the model: auto, cpu, cuda, cuda:1, …")
    torch_threads: int = Field(0, ge=0, description="CPU threads of the model; 0: all cores")

    state_dir: Path = Field(
        Path(".state"), description="folder for cache, queue, annotations and models"
    )
    features_dir: Path | None = Field(
        None,
        description="folder of the feature cache on disk, which several backends may share; "
        "empty: in the state folder",
    )
    redis_url: SecretStr | None = Field(
        None,
        validation_alias=_shared("REDIS_URL"),
        description="URL of the queue server; empty: start an embedded Valkey",
    )

    label_studio_url: AnyHttpUrl | None = Field(
        None,
        validation_alias=_shared("LABEL_STUDIO_URL"),
        description="URL of Label Studio; empty: use the one it sends to /setup",
    )
    label_studio_api_key: SecretStr | None = Field(
        None,
        validation_alias=_shared("LABEL_STUDIO_API_KEY"),
        description="access token of Label Studio, personal or legacy",
    )
    trust_setup: bool = Field(
        True,
        description="if no URL and token are set, use those sent to /setup, "
        "from this machine or with the password only",
    )

    basic_auth_user: str | None = Field(None, description="user name that Label Studio must send")
    basic_auth_password: SecretStr | None = Field(
        None, description="password that Label Studio must send"
    )
    webhook_secret: SecretStr | None = Field(
        None, description="secret in the backend's URL: connect http://HOST:PORT/k/SECRET"
    )

    cache_device_mb: int = Field(1000, ge=0, description="feature cache on the device, MB")
    cache_memory_mb: int = Field(500, ge=0, description="feature cache in memory, MB")
    cache_disk_mb: int = Field(5000, ge=0, description="feature cache on disk, MB")

    image_hosts: tuple[str, ...] = Field(
        (), description="hosts besides Label Studio that may serve images: host or host:port"
    )
    local_files_root: Path | None = Field(
        None, description="folder served as /data/local-files/; empty: none"
    )
    max_image_pixels: int = Field(50_000_000, ge=1, description="largest image, pixels")
    max_image_bytes: int = Field(100 * MEGABYTE, ge=1, description="largest image file, bytes")
    image_timeout: float = Field(20.0, gt=0, description="time limit per image fetch, seconds")

    polygon_tolerance: float = Field(
        1.0,
        ge=0,
        le=100,
        description="how far polygons and vectors may lie from the edge of a mask, image pixels",
    )

    max_request_bytes: int = Field(64 * MEGABYTE, ge=1, description="largest request, bytes")
    background_labels: tuple[str, ...] = Field(
        ("Background",), description="labels whose clicks mark background; a single comma: none"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error; request bodies are never logged"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text, or json: an object on each line, for programs that collect logs"
    )

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        check_host(value)
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower_word(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("label_studio_url", mode="before")
    @classmethod
    def _check_scheme(cls, value: Any) -> Any:
        if isinstance(value, str) and value and "://" not in value:
            raise ValueError(f"it has no http://: set http://{value}")
        return without_page(value) if isinstance(value, str) and value else value

    @field_validator("label_studio_url")
    @classmethod
    def _check_site(cls, value: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if value is not None:
            if value.username is not None or value.password is not None:
                raise ValueError(NOT_SENT)
            check_host(value.host or "")
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_queue_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_queue_url(value.get_secret_value())
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_webhook_secret(value.get_secret_value())
        return value

    @field_validator(
        "known_hosts",
        "image_hosts",
        "background_labels",
        "like_labels",
        "train_base_sets",
        mode="before",
    )
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("known_hosts")
    @classmethod
    def _check_known_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            check_host(host)
        return tuple(host.lower().rstrip(".") for host in value)

    @field_validator("image_hosts")
    @classmethod
    def _check_image_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            check_host_and_port(host)
        return value

    @model_validator(mode="after")
    def _sources_have_names_of_their_own(self) -> Self:
        if self.cvat and self.cvat_name == self.label_studio_name:
            raise ValueError(
                f"DYNAMITE_CVAT_NAME and DYNAMITE_LABEL_STUDIO_NAME are both {self.cvat_name!r}: "
                "each tool needs a name of its own"
            )
        return self

    @model_validator(mode="after")
    def _check_basic_auth(self) -> Self:
        if (self.basic_auth_user is None) != (self.basic_auth_password is None):
            raise ValueError(
                "set both DYNAMITE_BASIC_AUTH_USER and DYNAMITE_BASIC_AUTH_PASSWORD, or neither"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use the command line, the environment and the settings file, in this order."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, file_values())

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the backend."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def queue_url(self) -> str:
        """The URL of the queue server for redis-py: the configured or the embedded one."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        return f"unix://{self.socket_path}"

    @property
    def socket_path(self) -> Path:
        """The socket of the embedded queue; in /tmp if the path exceeds the system's 107 bytes.

        Raises:
            SettingsError: In /tmp, its folder is not this user's alone.
        """
        path = self.state_dir.resolve() / "valkey.sock"
        if len(os.fsencode(path)) <= 100:
            return path
        from hashlib import sha256  # noqa: PLC0415

        name = sha256(os.fsencode(path)).hexdigest()[:16]
        return private_folder(SHARED / f"dynamite-{os.geteuid()}") / f"{name}.sock"
