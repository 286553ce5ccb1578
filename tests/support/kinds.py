"""The two kinds of alerts as tests name them: by name, and with rules that need no configuration."""

from wazuh_dfn.config.event_ids import DEFAULT_EVENT_IDS
from wazuh_dfn.kinds import record
from wazuh_dfn.kinds.catalogue import kind_named
from wazuh_dfn.kinds.fail2ban import Bans
from wazuh_dfn.kinds.selection import Selection
from wazuh_dfn.kinds.windows import EventIds

WINDOWS, FAIL2BAN = kind_named("windows"), kind_named("fail2ban")


def select(event_ids=DEFAULT_EVENT_IDS, own_networks=()):
    """Return the selection of a site with these settings."""
    return Selection(((WINDOWS, EventIds(frozenset(event_ids))), (FAIL2BAN, Bans(tuple(own_networks)))))


def build(name, alert, now):
    """Return the record's value."""
    return record.build(kind_named(name), alert, now)
