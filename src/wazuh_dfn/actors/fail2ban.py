"""The actor for fail2ban bans (contract section 3b)."""

from __future__ import annotations

from wazuh_dfn.actors.transform import TransformActor


class Fail2BanActor(TransformActor):
    """fail2ban alerts to syslog records; there is nothing about them to warn of."""
