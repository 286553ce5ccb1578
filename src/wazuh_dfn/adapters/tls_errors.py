"""OpenSSL's errors towards a broker as the operator should read them: why it refused us, and why we do not trust it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

# OpenSSL's X509_V_ERR_ codes.
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})

_REFUSALS = {
    "CERTIFICATE_REQUIRED": "the broker refused our client certificate: it demands one and none is configured (dfn.dfn_cert)",
    "CERTIFICATE_EXPIRED": "the broker refused our client certificate (dfn.dfn_cert): it has expired",
    "CERTIFICATE_REVOKED": "the broker refused our client certificate (dfn.dfn_cert): it was revoked",
    "UNKNOWN_CA": "the broker refused our client certificate (dfn.dfn_cert): the broker does not trust the CA that signed it",
    "BAD_CERTIFICATE": "the broker refused our client certificate (dfn.dfn_cert) as bad",
    "UNSUPPORTED_CERTIFICATE": "the broker refused our client certificate (dfn.dfn_cert): it is not one for TLS clients",
    "CERTIFICATE_UNKNOWN": "the broker refused our client certificate (dfn.dfn_cert)",
    "ACCESS_DENIED": "the broker refused our client certificate (dfn.dfn_cert): access denied",
    "DECRYPT_ERROR": "the broker refused our client certificate (dfn.dfn_cert): its signature does not fit",
    "HANDSHAKE_FAILURE": "the broker refused the handshake: it demands another client certificate (dfn.dfn_cert) or another cipher",
    "UNRECOGNIZED_NAME": "the broker does not go by this host name",
    "PROTOCOL_VERSION": "the broker does not speak TLS 1.2 or newer",
    "UNSUPPORTED_PROTOCOL": "the broker does not speak TLS 1.2 or newer",
    "WRONG_VERSION_NUMBER": "this port does not speak TLS",
    "RECORD_LAYER_FAILURE": "this port does not speak TLS",
    "HTTP_REQUEST": "this port does not speak TLS",
}


def refusal(error: ssl.SSLError) -> str:
    """Return why a handshake failed that was not for the broker's certificate."""
    reason = error.reason or ""
    for mark, text in _REFUSALS.items():
        if reason.endswith(mark):
            return text
    return reason.replace("_", " ").lower() or str(error)


def distrust(error: ssl.SSLCertVerificationError, shown: dict[str, Any], *, host: str, trusted: str) -> str:
    """Return why the broker's certificate was refused.

    Args:
        error: what OpenSSL says.
        shown: the certificate as the ssl module describes it; empty if it can't be had, and then details are left out.
        host: the name that it should have been good for.
        trusted: whose signature it should have had.
    """
    if error.verify_code == _EXPIRED:
        return f"the broker's certificate expired{_when(shown, 'notAfter')}"
    if error.verify_code == _NOT_YET_VALID:
        return f"the broker's certificate is not valid yet{_when(shown, 'notBefore', 'but from')}; is this machine's clock right?"
    if error.verify_code in _OTHER_NAME:
        names = [value for _, value in shown.get("subjectAltName", ())]
        rest = f", only for {', '.join(names)}" if names else ""
        return f"the broker's certificate is not valid for host name {host}{rest}"
    if error.verify_code in _UNTRUSTED:
        names = [value for part in shown.get("issuer", ()) for _, value in part]
        rest = f"; its issuer is {', '.join(names)}" if names else ""
        return f"the broker's certificate is not signed by {trusted}{rest}"
    return f"the broker's certificate is not trusted: {error.verify_message}"


def _when(shown: dict[str, Any], name: str, word: str = "on") -> str:
    if name not in shown:
        return ""
    return f" {word} {datetime.fromtimestamp(ssl.cert_time_to_seconds(shown[name]), UTC):%Y-%m-%d %H:%M} UTC"
