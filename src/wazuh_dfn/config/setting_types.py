"""Types of settings: each checks its values, and has the text on what is allowed that samples, help and findings share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, PlainValidator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_before_validator_function

from wazuh_dfn.config.addresses import check_listening_host, check_networks, check_proxy, joined_brokers, parse_socket_address, split_list
from wazuh_dfn.config.event_ids import parse_event_ids

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Section(BaseModel):
    """One table of the configuration: unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OptionTable(Section):
    """A table that counts as one value: a variable or a flag sets all of it, as JSON."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("this is neither a table nor a JSON object")  # noqa: TRY004 - pydantic wants a ValueError
        return value


def conflict(keys: tuple[str, ...], text: str) -> PydanticCustomError:
    """Return an error about several keys at once.

    Args:
        keys: Names of the keys within their section. The first one is the one to report.
        text: What is wrong and what is allowed.
    """
    return PydanticCustomError("conflict", "{text}", {"text": text, "keys": list(keys)})


@dataclass(frozen=True)
class Allowed:
    """Metadata of a type: what is allowed, as one phrase without a full stop."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Number:
    """Metadata of a number: its bounds, `min` and `max` included. Without `min` it is more than 0. True is not taken for 1.

    `phrase` has the unit, and begins the text on what is allowed.
    """

    min: int | None = None
    max: int
    phrase: str = "a number from"

    @property
    def text(self) -> str:
        """What is allowed, with the unit."""
        lowest = "more than 0, at most" if self.min is None else f"{self.min} to"
        return f"{self.phrase} {lowest} {self.max}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        lowest = Field(gt=0) if self.min is None else Field(ge=self.min)
        return no_info_before_validator_function(_refuse_truth, handler.generate_schema(Annotated[source, lowest, Field(le=self.max)]))


Seconds = partial(Number, phrase="seconds,")
Milliseconds = partial(Number, phrase="milliseconds,")
Bytes = partial(Number, phrase="bytes,")
Percent = partial(Number, phrase="percent,")


def setting(default: Any, text: str, *, example: Any = None) -> Any:
    """Declare a setting of a section.

    Args:
        default: The default, None if it may be left out.
        text: What it is, as a phrase without a full stop. What is allowed is in its type.
        example: What the sample shows if the default is None or empty.
    """
    return Field(default, description=text, examples=None if example is None else [example])


def allowed(field: FieldInfo) -> str:
    """Return what a setting may be, by its type: choices, the options of a table, or what its metadata says last."""
    kinds = (field.annotation, *get_args(field.annotation))
    if choices := [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]:
        return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
    if isinstance(field.annotation, type) and issubclass(field.annotation, OptionTable):
        return ", ".join(field.annotation.model_fields)
    return next(entry.text for entry in reversed(field.metadata) if isinstance(entry, Allowed | Number))


def described(field: FieldInfo) -> str:
    """Return the text on a setting: what it is, and what is allowed."""
    return f"{field.description}. Allowed: {allowed(field)}."


def plain(value: Any) -> Any:
    """Return the value in the types that TOML, YAML and JSON share. None stays None."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Path):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def default_of(field: FieldInfo) -> Any:
    """Return the default of a key, in plain types."""
    return plain(field.get_default(call_default_factory=True, validated_data={}))


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("this must be a number")  # noqa: TRY004 - pydantic wants a ValueError
    return value


def _on_text(change: Callable[[str], Any]) -> BeforeValidator:
    """Apply a change to texts. Anything else is left for the type to judge."""
    return BeforeValidator(lambda value: change(value) if isinstance(value, str) else value)


def _unless_none(check: Callable[[Any], Any]) -> AfterValidator:
    return AfterValidator(lambda value: None if value is None else check(value))


def _check_path(value: Path) -> Path:
    text = str(value)
    if "\n" in text or "\0" in text or "-----BEGIN" in text:
        raise ValueError("this is no path; the path of a file is needed here, not its content")
    return value


def _check_filled(text: str) -> str:
    if not text.strip():
        raise ValueError("the path is empty")
    return text


def _check_topic(text: str) -> str:
    if not _TOPIC.fullmatch(text) or text in {".", ".."}:
        raise ValueError("this can't be the name of a Kafka topic")
    return text


def _check_token(text: str) -> str:
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("a token is sent in a header, where it can't stand like this")
    return text


def _check_name(text: str) -> str:
    """Refuse what would break the form `1:LOCATION:JSON`."""
    if not text.strip() or ":" in text or not text.isprintable():
        raise ValueError("this is no usable name")
    return text


_EMPTY_IS_NONE = _on_text(lambda text: text if text.strip() else None)

UPPER_CASE = _on_text(lambda text: text.strip().upper() or None)
LOWER_CASE = _on_text(lambda text: text.strip().lower())
"""For choices, which may be given in any case."""

Switch = Annotated[bool, Allowed("true or false")]
Text = Annotated[str | None, _EMPTY_IS_NONE, Allowed("any text")]
"""An empty text counts as not given, because TOML has no null. The same holds for a path that may be left out."""

OptionalPath = Annotated[Path | None, _EMPTY_IS_NONE, _unless_none(_check_path), Allowed("path of a file")]
FilePath = Annotated[Path, _on_text(_check_filled), AfterValidator(_check_path), Allowed("path of a file")]
FolderPath = Annotated[FilePath, Allowed("path of a folder")]

Topic = Annotated[Text, _unless_none(_check_topic), Allowed("1 to 249 of the characters a-z A-Z 0-9 . _ -")]
Token = Annotated[Text, _unless_none(_check_token), Allowed("printable ASCII characters without spaces")]
FeedbackName = Annotated[str, AfterValidator(_check_name), Allowed("a text without colons and line breaks")]

Brokers = Annotated[
    str,
    BeforeValidator(lambda value: ",".join(map(str, value)) if isinstance(value, list | tuple) else value),
    AfterValidator(joined_brokers),
    Allowed("host:port with a port from 1 to 65535, IPv6 in brackets, several with commas between them"),
]
Proxy = Annotated[Text, _unless_none(check_proxy), Allowed("http://host:port, without a password")]
ListeningHost = Annotated[str, AfterValidator(check_listening_host), Allowed("an address or a name of this machine, 0.0.0.0 or :: for all")]
SocketAddress = Annotated[
    Path | tuple[str, int],
    PlainValidator(parse_socket_address),
    Allowed('path of a socket, or a host and a port for TCP like ["127.0.0.1", 1514]'),
]
Networks = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: () if value is None else split_list(value)),
    AfterValidator(check_networks),
    Allowed("IPv4 or IPv6 networks like 192.0.2.0/24, or addresses, several with commas between them"),
]
"""Bits of the host part are ignored."""

Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: () if value is None else split_list(value)),
    Allowed("names, several with commas between them; upper and lower case are the same"),
]

EventIds = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(parse_event_ids),
    Allowed("ids from 0 to 65535, all with a sign like ['+4768', '-1100'] (they change the default list) or none with (they replace it)"),
]
