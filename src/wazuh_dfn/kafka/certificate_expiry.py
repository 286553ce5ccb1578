"""Expiry of the certificates that the broker connection depends on, as seen at the last connect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import structlog

WARN_DAYS = (30, 14, 7, 3, 1, 0)
"""Days before expiry at which a warning is logged. 0 stands for the expiry itself."""
DEGRADED_DAYS = 7
_DAY_SECONDS = 86_400
type Whose = Literal["client", "ca", "broker"]
NAMES: dict[Whose, str] = {
    "client": "our certificate (dfn.dfn_cert)",
    "ca": "the CA's certificate (dfn.dfn_ca)",
    "broker": "the broker's certificate",
}
_REMEDIES: dict[Whose, str] = {
    "client": "get a new one from DFN-CERT and replace the file; the next connection uses it, `systemctl reload` applies it at once",
    "ca": "get the new CA file from DFN-CERT and add it to dfn.dfn_ca",
    "broker": "ask DFN-CERT whether it will be renewed in time",
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """A certificate used for a connection. `expires_at` is in seconds since the epoch."""

    whose: Whose
    expires_at: float


@dataclass(slots=True)
class Certificates:
    """The certificates seen last, one per owner."""

    expires_at: dict[Whose, float] = field(default_factory=dict)
    """In seconds since the epoch."""
    _told: dict[Whose, tuple[float, int]] = field(default_factory=dict)

    def seen(self, certificate: CertificateSeen) -> None:
        """Record the expiry of a certificate."""
        self.expires_at[certificate.whose] = certificate.expires_at

    def look(self, now: float) -> None:
        """Log certificates that expire soon, once per threshold in `WARN_DAYS`. `now` is in seconds since the epoch."""
        for whose, expires_at in self.expires_at.items():
            due = [days for days in WARN_DAYS if expires_at - now <= days * _DAY_SECONDS]
            if due and self._told.get(whose) != (expires_at, due[-1]):
                self._told[whose] = expires_at, due[-1]
                days = max(0, int((expires_at - now) / _DAY_SECONDS))
                event = "a certificate expires soon" if expires_at > now else "a certificate has expired"
                log.warning(event, whose=NAMES[whose], at=_told(expires_at), days_left=days, remedy=_REMEDIES[whose])

    def problems(self, now: float) -> Iterator[str]:
        """Yield one sentence for each certificate that has expired or expires within `DEGRADED_DAYS`."""
        for whose, expires_at in self.expires_at.items():
            if expires_at - now <= DEGRADED_DAYS * _DAY_SECONDS:
                verb = "expired" if expires_at <= now else "expires"
                yield f"{NAMES[whose].capitalize()} {verb} on {_told(expires_at)}; {_REMEDIES[whose]}."


def _told(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
