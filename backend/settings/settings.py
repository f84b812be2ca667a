"""Every setting of the serving side, in one typed place.

A value comes from, first found wins: the command line, the environment, a TOML file
(``dynamite.toml`` here, or the one ``DYNAMITE_CONFIG`` names), the default written below. An empty
one is none: ``X=`` in a file of variables, or ``x = ""``, leaves X to the next of these.
"""

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    AliasChoices,
    AnyHttpUrl,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from backend.settings.retraining import RetrainingSettings
from backend.settings.typos import PREFIX, guess, unknown_variables
from backend.settings.url_checks import check_queue_url, check_webhook_secret
from dynamite.errors import DynamiteError
from dynamite.network.config import PRESETS

OTHERS = ("CONFIG", "LABEL_STUDIO")
"""Variables that are no settings: that of the file, and that of the demo's Label Studio."""

MEGABYTE = 1_000_000


class SettingsError(DynamiteError):
    """A setting has a value that cannot be used."""


def _shared(name: str) -> Any:
    """A setting whose variable carries no prefix, as everywhere in that ecosystem."""
    return AliasChoices(name, name.lower())


class Settings(RetrainingSettings, BaseSettings):
    """What the serving side needs to know; each field's description is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # a folder named "" would be the working directory
        enable_decoding=False,  # several names are separated by commas, not written as JSON
        extra="forbid",
        frozen=True,
        populate_by_name=True,
    )

    host: str = Field("127.0.0.1", description="address to listen on; loopback unless told")
    port: int = Field(9090, ge=1, le=65535, description="port to listen on")
    threads: int = Field(64, ge=2, le=256, description="requests that may wait for the model")

    preset: str = Field("lite", description=f"model configuration: {', '.join(PRESETS)}")
    checkpoint: Path | None = Field(None, description="weights; empty: the shipped ones")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, …")
    torch_threads: int = Field(0, ge=0, description="CPU threads of the model; 0: all cores")

    state_dir: Path = Field(Path(".state"), description="folder of cache, queue and store")
    redis_url: SecretStr | None = Field(
        None,
        validation_alias=_shared("REDIS_URL"),
        description="queue server; empty: an embedded Valkey",
    )

    label_studio_url: AnyHttpUrl | None = Field(
        None,
        validation_alias=_shared("LABEL_STUDIO_URL"),
        description="address of Label Studio; empty: what it says at /setup",
    )
    label_studio_api_key: SecretStr | None = Field(
        None,
        validation_alias=_shared("LABEL_STUDIO_API_KEY"),
        description="its access token, personal or legacy",
    )
    trust_setup: bool = Field(
        True,
        description="use the address and token sent at /setup when none is set; "
        "only from this machine or with a password",
    )

    basic_auth_user: str | None = Field(None, description="user name asked of Label Studio")
    basic_auth_password: SecretStr | None = Field(None, description="and its password")
    webhook_secret: SecretStr | None = Field(
        None, description="secret in the address: attach http://HOST:PORT/k/SECRET"
    )

    cache_device_mb: int = Field(1000, ge=0, description="feature cache on the device, MB")
    cache_memory_mb: int = Field(500, ge=0, description="feature cache in memory, MB")
    cache_disk_mb: int = Field(5000, ge=0, description="feature cache on disk, MB")

    image_hosts: tuple[str, ...] = Field(
        (), description="hosts images may come from, host or host:port, besides Label Studio"
    )
    local_files_root: Path | None = Field(
        None, description="folder that /data/local-files/ may read; empty: none"
    )
    max_image_pixels: int = Field(50_000_000, ge=1, description="largest image, pixels")
    max_image_bytes: int = Field(100 * MEGABYTE, ge=1, description="largest image file, bytes")
    image_timeout: float = Field(20.0, gt=0, description="time to fetch an image, seconds")

    max_request_bytes: int = Field(64 * MEGABYTE, ge=1, description="largest request, bytes")
    background_labels: tuple[str, ...] = Field(
        ("Background",), description="labels whose clicks say: no object here; a comma: none"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error; never shows request bodies"
    )

    @field_validator("host")
    @classmethod
    def _host_is_bare(cls, value: str) -> str:
        if not value or "/" in value:
            raise ValueError("must be an address or host name without a scheme or path")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level_in_any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("label_studio_url", mode="before")
    @classmethod
    def _address_has_a_scheme(cls, value: Any) -> Any:
        if isinstance(value, str) and value and "://" not in value:
            raise ValueError(f"it lacks its http://: set http://{value}")
        return value

    @field_validator("redis_url")
    @classmethod
    def _queue_is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_queue_url(value.get_secret_value())
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _secret_fits_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_webhook_secret(value.get_secret_value())
        return value

    @field_validator("image_hosts", "background_labels", "train_base_sets", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("image_hosts")
    @classmethod
    def _hosts_are_bare(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if "/" in host or "@" in host or not host:
                raise ValueError(f"{host!r} must be host or host:port, without scheme or path")
        return value

    @model_validator(mode="after")
    def _auth_is_whole(self) -> Self:
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
        """Command line, environment, file: no other source."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, in_file())

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the backend."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def queue_url(self) -> str:
        """The queue server as redis-py takes it: the configured one, else the embedded one."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        return f"unix://{self.socket_path}"

    @property
    def socket_path(self) -> Path:
        """The embedded queue's socket; the system allows 107 characters, so it may be in /tmp."""
        path = self.state_dir.resolve() / "valkey.sock"
        if len(os.fsencode(path)) <= 100:
            return path
        from hashlib import sha256  # noqa: PLC0415

        name = sha256(os.fsencode(path)).hexdigest()[:16]
        return Path("/tmp") / f"dynamite-{os.getuid()}" / f"{name}.sock"  # noqa: S108


def config_file() -> Path | None:
    """The settings file in use, if there is one."""
    named = os.environ.get(PREFIX + "CONFIG")
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"{PREFIX}CONFIG names {named}, which is not a file")
        return Path(named)
    here = Path("dynamite.toml")
    return here if here.is_file() else None


def in_file() -> dict[str, Any]:
    """What the settings file sets.

    Raises:
        SettingsError: it is no TOML.
    """
    path = config_file()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
    except ValueError as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return {name: value for name, value in found.items() if value != ""}


def load(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (of the command line) win unless None or empty.

    Raises:
        SettingsError: a value cannot be used; names the variable and says why.
    """
    given = {name: value for name, value in overrides.items() if value not in (None, "")}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(one) for one in error.errors())) from None
    except ValueError as error:  # JSON for a list that is none
        raise SettingsError(f"the settings cannot be read: {error}") from None


def variable(name: str) -> str:
    """The environment variable of a setting."""
    field = Settings.model_fields[name]
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + name.upper()


def _sentence(error: Mapping[str, Any]) -> str:
    place = error["loc"][0] if error["loc"] else None
    message = str(error["msg"]).removeprefix("Value error, ")
    if place is None:
        return message
    name = str(place)
    known = {variable(field).lower(): field for field in Settings.model_fields}
    field = known.get(name.lower(), name)
    if error["type"] == "extra_forbidden":
        return _no_setting(name)
    secret = "SecretStr" in str(Settings.model_fields[field].annotation)
    shown = "" if secret else f" is {error['input']!r}:"
    return f"{variable(field)}{shown} {message.replace('Input should', 'it should')}"


def _no_setting(name: str) -> str:
    """Of a name in the file: those of the environment do not come here."""
    bare = name.lower().removeprefix(PREFIX.lower())
    if bare in Settings.model_fields:
        return f"{config_file()}: {name} is not a setting: write {bare}, without the prefix"
    return f"{config_file()}: {name} is not a setting; {guess(name, Settings.model_fields)}"


def slips(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What to say of variables that look like settings and are none."""
    known = [variable(name) for name in Settings.model_fields]
    return unknown_variables([*known, *(PREFIX + name for name in OTHERS)], environment)
