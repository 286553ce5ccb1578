"""The subject and the validity of a certificate, in words."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509

from wazuh_dfn.check.findings import Finding, failure, ok, warning

WARN_DAYS = 30


def subject(certificate: x509.Certificate) -> str:
    """Return the subject, or the serial number if the subject is empty."""
    return certificate.subject.rfc4514_string() or f"number {certificate.serial_number:x}"


def check_validity(check: str, whose: str, certificate: x509.Certificate, remedy: str) -> Finding:
    """Compare the validity period with this machine's clock. Fewer than `WARN_DAYS` days left give a warning."""
    now = datetime.now(UTC)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return failure(check, f"{whose} is not valid before {begin:%Y-%m-%d %H:%M} UTC", "check this machine's clock (timedatectl)")
    if now > end:
        return failure(check, f"{whose} expired on {end:%Y-%m-%d %H:%M} UTC", remedy)
    days = (end - now).days
    text = f"{whose} is valid for {days:,} more day{'' if days == 1 else 's'}"
    return warning(check, text, f"{remedy} in time") if days < WARN_DAYS else ok(check, text)
