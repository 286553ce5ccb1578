"""Values as files, samples and reports show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def plain(value: Any) -> Any:
    """The value in the types that TOML, YAML and JSON share; None stays None."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Path):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def default_of(field: FieldInfo) -> Any:
    """The default of a key, in plain types."""
    return plain(field.get_default(call_default_factory=True, validated_data={}))


def example_of(field: FieldInfo) -> Any:
    """The default of a key, or an example where the default is to have none; an empty text where there is no example."""
    default = default_of(field)
    if default is None or default == []:
        return field.examples[0] if field.examples else ""
    return default
