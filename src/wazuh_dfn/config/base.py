"""What all sections of the configuration share: the base model and the types of their fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

_NUMBERS = (int, float, int | None)


class Section(BaseModel):
    """One table of the configuration: unknown keys are errors, and nothing changes after loading.

    Each field's description is in two parts with "; " between them: what it is, and what is allowed (unit, bounds).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Without this, pydantic takes true for 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in _NUMBERS:
            raise ValueError("this must be a number")
        return value


class OptionTable(Section):
    """A table that counts as one value: a variable or a flag sets all of it, as JSON."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("this is neither a table nor a JSON object")  # noqa: TRY004 - pydantic wants a ValueError
        return value


def conflict(keys: tuple[str, ...], text: str) -> PydanticCustomError:
    """An error about several keys at once.

    Args:
        keys: Names of the keys within their section; the first one is the one to report.
        text: What is wrong and what is allowed.
    """
    return PydanticCustomError("conflict", "{text}", {"text": text, "keys": list(keys)})


def _empty_to_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _check_path(value: Path | None) -> Path | None:
    text = "" if value is None else str(value)
    if "\n" in text or "\0" in text or "-----BEGIN" in text:
        raise ValueError("this is no path; the path of a file is needed here, not its content")
    return value


def _check_filled(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("the path is empty")
    return value


def split_list(value: Any) -> Any:
    """Make a list of a text with commas; anything else stays as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


EMPTY_IS_NONE = BeforeValidator(_empty_to_none)
IN_UPPER_CASE = BeforeValidator(_upper)
IN_LOWER_CASE = BeforeValidator(_lower)
"""For choices, which may be given in any case."""

OptionalText = Annotated[str | None, EMPTY_IS_NONE]
"""A text; an empty one counts as not given, because TOML has no null."""

OptionalPath = Annotated[Path | None, EMPTY_IS_NONE, AfterValidator(_check_path)]
"""A path; an empty text counts as not given."""

RequiredPath = Annotated[Path, BeforeValidator(_check_filled), AfterValidator(_check_path)]
"""A path that must not be empty."""
