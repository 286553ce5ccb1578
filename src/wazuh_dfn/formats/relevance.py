"""Which alerts are forwarded (contract section 2). Nothing here raises, whatever types an alert has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from wazuh_dfn.formats.values import event_id_text, section
from wazuh_dfn.messages import RecordKind

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

FAIL2BAN_PROGRAM = "fail2ban.actions"
FAIL2BAN_GROUP = "fail2ban"


@dataclass(frozen=True)
class Selection:
    """The rules of contract section 2 with the site's settings.

    Args:
        event_ids: the Windows event IDs to forward, each as a decimal number without leading zeros.
        own_networks: if any, fail2ban alerts about their addresses are ignored, and so are those about addresses that are not
            global or that are none.
    """

    event_ids: frozenset[str] = DEFAULT_EVENT_IDS
    own_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def kinds(self, alert: Mapping[str, Any]) -> list[RecordKind]:
        """Return what it goes out as."""
        kinds: list[RecordKind] = ["windows"] if self.windows(alert) else []
        return [*kinds, "fail2ban"] if self.fail2ban(alert) else kinds

    def windows(self, alert: Mapping[str, Any]) -> bool:
        """Tell whether it goes out as a Windows event: by the event ID alone, whatever the channel."""
        return event_id_text(section(alert, "data", "win", "system").get("eventID")) in self.event_ids

    def fail2ban(self, alert: Mapping[str, Any]) -> bool:
        """Tell whether it goes out as a fail2ban event: by program, group and, where own networks are known, address."""
        data = section(alert, "data")
        return (
            data.get("program_name") == FAIL2BAN_PROGRAM
            and _has_group(section(alert, "rule").get("groups"))
            and not _is_empty(data.get("srcip"))
            and (not self.own_networks or self._is_foreign(data.get("srcip")))
        )

    def _is_foreign(self, srcip: object) -> bool:
        if not isinstance(srcip, str):  # ip_address would take a number for an address
            return False
        try:
            given = ip_address(srcip.strip())
        except ValueError:
            return False
        # ::ffff:192.0.2.1 is how a dual-stack socket shows 192.0.2.1; it has to meet the same rules.
        address = (given.ipv4_mapped or given) if isinstance(given, IPv6Address) else given
        return address.is_global and not any(form in network for network in self.own_networks for form in (given, address))


def _has_group(groups: object) -> bool:
    """Wazuh does not trim the names. A single text may stand for the list, with commas as in Wazuh's own rule files."""
    if isinstance(groups, str):
        return FAIL2BAN_GROUP in (group.strip() for group in groups.split(","))
    return isinstance(groups, list) and any(isinstance(group, str) and group.strip() == FAIL2BAN_GROUP for group in groups)


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, list | dict) and not value)
