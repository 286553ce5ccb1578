"""Operator-facing texts for OpenSSL's errors: why a broker refused us, and why we do not trust it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.faults import Fault, FaultCode

if TYPE_CHECKING:  # takes 9 MB of memory, and is needed only after an error
    from cryptography import x509


_OF_VERIFICATION = {  # OpenSSL's X509_V_ERR_ codes
    9: FaultCode.TLS_NOT_YET_VALID,
    10: FaultCode.TLS_EXPIRED,
    **dict.fromkeys((2, 18, 19, 20, 21), FaultCode.TLS_UNTRUSTED),
    **dict.fromkeys((62, 64), FaultCode.TLS_OTHER_NAME),
    **dict.fromkeys((3, 11, 12), FaultCode.TLS_NO_REVOCATION_LIST),
    23: FaultCode.TLS_REVOKED,
}
_REFUSALS = {
    "CERTIFICATE_REQUIRED": "the broker refused our client certificate: it requires one and none is configured (dfn.dfn_cert)",
    "CERTIFICATE_EXPIRED": "the broker refused our client certificate (dfn.dfn_cert): it has expired",
    "CERTIFICATE_REVOKED": "the broker refused our client certificate (dfn.dfn_cert): it was revoked",
    "UNKNOWN_CA": "the broker refused our client certificate (dfn.dfn_cert): the broker does not trust the CA that signed it",
    "BAD_CERTIFICATE": "the broker refused our client certificate (dfn.dfn_cert): bad certificate",
    "UNSUPPORTED_CERTIFICATE": "the broker refused our client certificate (dfn.dfn_cert): it is not a TLS client certificate",
    "CERTIFICATE_UNKNOWN": "the broker refused our client certificate (dfn.dfn_cert)",
    "ACCESS_DENIED": "the broker refused our client certificate (dfn.dfn_cert): access denied",
    "DECRYPT_ERROR": "the broker refused our client certificate (dfn.dfn_cert): its signature is not valid",
}
_OTHER_REFUSALS = {
    "HANDSHAKE_FAILURE": "the broker refused the handshake: it requires another client certificate (dfn.dfn_cert) or another cipher",
    "UNRECOGNIZED_NAME": "the broker does not recognise this host name",
    "PROTOCOL_VERSION": "the broker does not speak TLS 1.2 or newer",
    "UNSUPPORTED_PROTOCOL": "the broker does not speak TLS 1.2 or newer",
    "WRONG_VERSION_NUMBER": "this port does not speak TLS",
    "RECORD_LAYER_FAILURE": "this port does not speak TLS",
    "HTTP_REQUEST": "this port does not speak TLS",
}


def tls_fault(code: FaultCode, why: str, where: BrokerAddress) -> Fault:
    """Return a fault of the TLS connection, with the reason."""
    return Fault(code, f"TLS to {where} failed: {why}", where)


def has_expired(expires_at: float | None) -> str | None:
    """Return when a certificate expired, in words, or None if it did not, or if that is unknown. `expires_at` is in seconds since the epoch."""
    if expires_at is None or (moment := datetime.fromtimestamp(expires_at, UTC)) > datetime.now(UTC):
        return None
    return f"expired on {moment:%Y-%m-%d %H:%M} UTC"


def refusal(error: ssl.SSLError, where: BrokerAddress, expires_at: float | None) -> Fault:
    """Return why a handshake failed for a reason other than the broker's certificate.

    Args:
        error: The error from OpenSSL.
        where: The broker's address.
        expires_at: When our own certificate expires, in seconds since the epoch. Many brokers do not report that this is the cause.
    """
    reason = error.reason or ""
    if (expired := has_expired(expires_at)) is not None and reason.endswith((*_REFUSALS, "HANDSHAKE_FAILURE")):
        return tls_fault(FaultCode.TLS_OURS_EXPIRED, f"the broker refused our client certificate (dfn.dfn_cert): it {expired}", where)
    for code, texts in ((FaultCode.TLS_REFUSED, _REFUSALS), (FaultCode.TLS_FAILED, _OTHER_REFUSALS)):
        for mark, text in texts.items():
            if reason.endswith(mark):
                return tls_fault(code, text, where)
    return tls_fault(FaultCode.TLS_FAILED, reason.replace("_", " ").lower() or str(error), where)


def distrust(error: ssl.SSLCertVerificationError, shown: Sequence[x509.Certificate], where: BrokerAddress, trusted: str) -> Fault:
    """Return why the broker's certificate was not accepted.

    Args:
        error: The error from OpenSSL.
        shown: The broker's certificate and the intermediate certificates that it sent. If empty, details are left out.
        where: The address that the certificate must be valid for.
        trusted: Who must have signed it, in words.
    """
    code = _OF_VERIFICATION.get(error.verify_code, FaultCode.TLS_FAILED)
    match code:
        case FaultCode.TLS_EXPIRED | FaultCode.TLS_NOT_YET_VALID:
            text = _out_of_date(shown, is_expired=code is FaultCode.TLS_EXPIRED)
        case FaultCode.TLS_OTHER_NAME:
            text = f"the broker's certificate is not valid for host name {where.host}{_names(shown)}"
        case FaultCode.TLS_UNTRUSTED:
            last = shown[-1].issuer.rdns if shown else ()
            names = [str(attribute.value) for part in last for attribute in part]
            text = f"the broker's certificate is not signed by {trusted}" + (f"; its issuer is {', '.join(names)}" if names else "")
        case FaultCode.TLS_REVOKED:
            text = "the broker's certificate was revoked"
        case FaultCode.TLS_NO_REVOCATION_LIST:
            text = f"the revocation list (dfn.dfn_crl) has no valid entry of the CA that signed the broker's certificate: {error.verify_message}"
        case _:
            text = f"the broker's certificate is not trusted: {error.verify_message}"
    return tls_fault(code, text, where)


def host_names(certificate: x509.Certificate) -> list[str]:
    """Return the host names and IP addresses that a server certificate is valid for."""
    from cryptography import x509  # noqa: PLC0415

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def _names(shown: Sequence[x509.Certificate]) -> str:
    if not shown:
        return ""
    names = host_names(shown[0])
    return f", only for {', '.join(names)}" if names else ": it contains no host name as subjectAltName, and the common name is ignored"


def _out_of_date(shown: Sequence[x509.Certificate], *, is_expired: bool) -> str:
    """Name the certificate that is out of date. It can be an intermediate certificate, or one in the CA's file."""
    now = datetime.now(UTC)
    for number, each in enumerate(shown):
        if is_expired and each.not_valid_after_utc < now:
            return f"{_which(number, each)} expired on {each.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        if not is_expired and each.not_valid_before_utc > now:
            return f"{_which(number, each)} is not valid before {each.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; is this machine's clock correct?"
    whose = "the CA's certificate in dfn.dfn_ca" if shown else "the broker's certificate"
    return f"{whose} expired" if is_expired else f"{whose} is not valid yet; is this machine's clock correct?"


def _which(number: int, certificate: x509.Certificate) -> str:
    return f"the broker's intermediate certificate {certificate.subject.rfc4514_string()}" if number else "the broker's certificate"
