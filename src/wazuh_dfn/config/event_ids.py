"""Which Windows events are forwarded: the default list, changed or replaced by the configuration."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

from wazuh_dfn.config.addresses import split_list

DEFAULT_EVENT_IDS: frozenset[str] = frozenset(
    {
        "1100",  # event logging service shut down
        "1102",  # audit log cleared
        "3697",  # external device recognised
        "4625",  # failed logon
        "4672",  # special privileges assigned to new logon
        "4697",  # service installed
        "4698",  # scheduled task created
        "4702",  # scheduled task updated
        "4719",  # audit policy changed
        "4720",  # user account created
        "4724",  # password reset attempted
        "4794",  # DSRM password set attempted
        "4964",  # special groups assigned to a new logon
    },
)

_ID = re.compile(r"(?P<sign>[+-]?)(?P<number>[0-9]+)")
_HIGHEST_ID = 65535


def parse_event_ids(value: Any) -> Any:
    """Read the ids of the configuration into texts without leading zeros, their signs kept.

    Args:
        value: A list of numbers or texts, or a text with commas. Each id is from 0 to 65,535. None stays None.

    Raises:
        ValueError: There is no id, an id is none, or some ids have signs and others don't.
    """
    if value is None or value == "":
        return None
    items = split_list(value)
    if not isinstance(items, Sequence):
        raise ValueError("this is no list")  # noqa: TRY004 - pydantic wants a ValueError
    if not items:
        raise ValueError("the list is empty, so no Windows event would be forwarded; leave the key out for the default list")
    ids = tuple(_parse_id(item) for item in items)
    if len({_is_signed(item) for item in ids}) > 1:
        raise ValueError("some ids have a sign and others don't: either all (they change the default list) or none (they replace it)")
    return ids


def resolve_event_ids(ids: Iterable[str] | None) -> frozenset[str]:
    """Apply what `parse_event_ids` read to the default list.

    Args:
        ids: All with a sign (added to or removed from the default), all without (instead of the default), or None (the default).
    """
    if ids is None:
        return frozenset(DEFAULT_EVENT_IDS)
    chosen = tuple(ids)
    plain = {item for item in chosen if not _is_signed(item)}
    if plain:
        return frozenset(plain)
    added = {item[1:] for item in chosen if item.startswith("+")}
    removed = {item[1:] for item in chosen if item.startswith("-")}
    return frozenset((DEFAULT_EVENT_IDS | added) - removed)


def _is_signed(item: str) -> bool:
    return item[0] in "+-"


def _parse_id(item: Any) -> str:
    match = None if isinstance(item, bool) else _ID.fullmatch(str(item).strip())
    if match is None or int(match["number"]) > _HIGHEST_ID:
        raise ValueError(f"{reprlib.repr(item)} is no id of a Windows event")
    return f"{match['sign']}{int(match['number'])}"
