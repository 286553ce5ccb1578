"""fail2ban's bans as syslog messages (kinds/CONTRACT.md, "Syslog messages")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.delivery.dead_letter_store import DeadLetterStore
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.kinds.kind import Complain, Content
from wazuh_dfn.kinds.transform_actor import TransformActor
from wazuh_dfn.lines.candidates import occurrences
from wazuh_dfn.lines.values import plain_value, section, value_text
from wazuh_dfn.messages import RecordBatch
from wazuh_dfn.supervision.mailbox import Mailbox

_PROGRAM = "fail2ban.actions"
_TOKEN = _PROGRAM.encode()
_GROUP = "fail2ban"

_FACILITY = 4
"""Security and authorisation messages (RFC 5424)."""
_SEVERITIES = {"NOTICE": 5, "WARNING": 4, "ERROR": 3}
_INFORMATIONAL = 6
_LOG_TAG = "fail2ban"
_LOG_TAG_LENGTH = len("fail2ban: ")


class Fail2Ban:
    """Implements `Kind`."""

    name = "fail2ban"
    event_format = "syslog5424-json"

    def rule(self, settings: Settings) -> Bans:
        """See `Kind`."""
        return Bans(settings.misc.own_networks)

    def fields(self, alert: Content) -> dict[str, Any]:
        """See `Kind`."""
        return syslog_fields(alert)

    def feedback(self, alert: Content) -> dict[str, Any]:
        """Return the feedback fields (see `Kind`).

        They include the fields of Windows events (kinds/CONTRACT.md, "Feedback to Wazuh").
        """
        system = section(alert, "data", "win", "system")
        return {"event_id": system.get("eventID"), "win_timestamp": system.get("systemTime")}

    def actor(self, ledger: Ledger, dead_letters: DeadLetterStore, outbox: Mailbox[RecordBatch], complain: Complain) -> Fail2BanActor:
        """See `Kind`."""
        return Fail2BanActor(self, ledger, dead_letters, outbox, complain)


class Fail2BanActor(TransformActor):
    """Transforms bans, which need no warnings."""


@dataclass(frozen=True, slots=True)
class Bans:
    """Implements `Rule`: selects by program, group, a non-empty `srcip` and, if own networks are configured, by address.

    With `own_networks`, alerts are ignored if their address is in one of them, is not global, or is not an address.
    """

    own_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def occurrences(self, data: bytes) -> Iterator[int]:
        """See `Rule`."""
        return occurrences(data, _TOKEN)

    def selects(self, alert: Content) -> bool:
        """See `Rule`."""
        data = section(alert, "data")
        return (
            data.get("program_name") == _PROGRAM
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
        # A dual-stack socket shows 192.0.2.1 as ::ffff:192.0.2.1. The same rules apply to both.
        address = (given.ipv4_mapped or given) if isinstance(given, IPv6Address) else given
        return address.is_global and not any(form in network for network in self.own_networks for form in (given, address))


def _has_group(groups: object) -> bool:
    """Return whether one of the rule's groups is fail2ban's.

    Wazuh does not trim the names. A single string may replace the list, with commas as in Wazuh's own rule files.
    """
    if isinstance(groups, str):
        return _GROUP in (group.strip() for group in groups.split(","))
    return isinstance(groups, list) and any(isinstance(group, str) and group.strip() == _GROUP for group in groups)


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, list | dict) and not value)


def syslog_fields(alert: Content) -> dict[str, Any]:
    """Return the fields of the message, with an RFC 5424 priority.

    Never raises.
    """
    data = section(alert, "data")
    severity_text = value_text(data.get("severity"))
    severity = _SEVERITIES.get(severity_text, _INFORMATIONAL)
    priority = _FACILITY * 8 + severity
    event_raw = f"<{priority}> 1 {_log(alert.get('full_log'))}"
    # An empty text is found at 0, and an absent one at -1. In both cases the whole text is the body.
    body = event_raw[max(event_raw.find(severity_text), 0) :]
    program = plain_value(data.get("program_name"))
    fields = {
        "hostName": plain_value(section(alert, "agent").get("name")),
        "structuredData": "",
        "appName": program,
        "appInst": program,
        "facility": str(_FACILITY),
        "severity": severity,
        "priority": priority,
        "event_raw": event_raw,
        "body": body,
    }
    if "pid" in data:
        fields["procId"] = plain_value(data["pid"])
    return fields


def _log(full_log: object) -> str:
    if not isinstance(full_log, str):
        return ""
    return full_log[_LOG_TAG_LENGTH:] if full_log.startswith(_LOG_TAG) else full_log
