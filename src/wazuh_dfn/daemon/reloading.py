"""Reload on SIGHUP: reads the configuration again and applies the settings that can change at runtime. Delivery continues meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from anyio import to_thread

from wazuh_dfn.config.documents import KeyPath, dotted
from wazuh_dfn.config.settings import FIELDS, Settings
from wazuh_dfn.daemon.sd_notify import ServiceNotifier
from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.logs import set_level
from wazuh_dfn.pipeline import Pipeline

log = structlog.get_logger(__name__)

RELOADABLE: frozenset[KeyPath] = frozenset(
    {
        ("log", "level"),
        ("misc", "own_network"),
        ("wazuh", "windows_channels"),
        ("wazuh", "windows_event_ids"),
        ("dfn", "dfn_ca"),
        ("dfn", "dfn_cert"),
        ("dfn", "dfn_crl"),
        ("dfn", "dfn_key"),
        ("dfn", "dfn_key_password"),
    }
)
"""Keys that can change while the daemon runs."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Result of a reload: the settings to use, the keys that changed, and the changed keys that need a restart."""

    settings: Settings
    changed: tuple[KeyPath, ...]
    need_restart: tuple[KeyPath, ...]


def reloaded(old: Settings, new: Settings) -> Reloaded:
    """Take the reloadable settings from `new` and the others from `old`.

    Whether TLS is used cannot change. If it differs, no `dfn` key is taken.
    """
    differing = tuple(key for key in FIELDS if old.value_of(key) != new.value_of(key))
    usable = RELOADABLE if old.uses_tls == new.uses_tls else {key for key in RELOADABLE if key[0] != "dfn"}
    changed = tuple(key for key in differing if key in usable)
    updates: dict[str, dict[str, Any]] = {}
    for section, name in changed:
        updates.setdefault(section, {})[name] = new.value_of((section, name))
    sections = {section: getattr(old, section).model_copy(update=values) for section, values in updates.items()}
    return Reloaded(old.model_copy(update=sections), changed, tuple(key for key in differing if key not in usable))


class Reloading:
    """Handler for SIGHUP.

    Args:
        pipeline: Gets the new settings.
        load: Reads and checks all settings as at the start. It blocks.
        renew_connection: Applies the settings of the broker connection. Raises BrokerUnavailableError if the certificates cannot be used.
        renew_api_certificate: Makes the HTTP API use its present certificate files. It logs their errors itself.
        notifier: Reports the reload to systemd.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        load: Callable[[], Settings],
        renew_connection: Callable[[Settings], Awaitable[None]],
        renew_api_certificate: Callable[[], Awaitable[None]],
        notifier: ServiceNotifier,
    ) -> None:
        self._pipeline = pipeline
        self._load = load
        self._renew_connection = renew_connection
        self._renew_api_certificate = renew_api_certificate
        self._notifier = notifier

    async def __call__(self) -> None:
        """Reload the settings. If the new ones are invalid or a certificate cannot be used, log the reason and keep the old ones."""
        self._notifier.reloading()
        try:
            await self._reload()
        except (ConfigurationError, BrokerUnavailableError) as error:
            log.error("reload failed, keeping the previous settings", reason=str(error))  # noqa: TRY400 - the text says it all
        finally:
            self._notifier.ready()

    async def _reload(self) -> None:
        found = reloaded(self._pipeline.settings, await to_thread.run_sync(self._load))
        if found.settings.uses_tls:
            await self._renew_connection(found.settings)
        await self._renew_api_certificate()
        self._pipeline.reload(found.settings)
        set_level(found.settings.log.level)
        if found.need_restart:
            log.warning("changed settings need a restart to take effect", keys=", ".join(map(dotted, found.need_restart)))
        changed = ", ".join(map(dotted, found.changed)) or "nothing"
        log.info("reloaded", changed=changed, certificates="read anew" if found.settings.uses_tls else "not used")
