"""Checks of the path to one broker: each rung of the ladder, and the certificate that the broker presents."""

from __future__ import annotations

from wazuh_dfn.check.certificate_text import check_validity, subject
from wazuh_dfn.check.findings import Finding, failure, info, ok
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.faults import Rung
from wazuh_dfn.kafka.ladder import Climb, Presented
from wazuh_dfn.kafka.tls_context import TlsContexts
from wazuh_dfn.kafka.tls_errors import host_names

_RUNGS = list(Rung)


async def check_broker(broker: BrokerAddress, tls: TlsContexts | None, within: float, proxy: BrokerAddress | None = None) -> list[Finding]:
    """Probe one address, up to the first rung that fails.

    Args:
        broker: The broker's address.
        tls: The TLS contexts, or None for a connection without TLS.
        within: Maximum time for the whole probe in seconds.
        proxy: The HTTP proxy on the path, if any.
    """
    climb = Climb(broker, tls, within, proxy)
    await climb.go()
    fault = climb.fault
    findings: list[Finding] = []
    if climb.numbers:
        findings.append(ok(Rung.NAME, f"{(proxy or broker).host} resolves to {', '.join(climb.numbers)}"))
    reached = _RUNGS.index(climb.rung)
    if reached > _RUNGS.index(Rung.TCP):
        findings.append(ok(Rung.TCP, f"{broker} accepts connections{f' through the proxy {proxy}' if proxy else ''}"))
        if tls is None:
            findings.append(info(Rung.TLS, "the connection is not encrypted"))
    if climb.presented is not None:
        findings += _describe(broker, climb.presented)
    if tls is not None and reached > _RUNGS.index(Rung.TLS):
        findings.append(ok(Rung.TLS, "certificate and name of the broker verified"))
    if fault is not None:
        findings.append(failure(fault.code.rung, fault.text, fault.remedy))
    return findings


def _describe(broker: BrokerAddress, shown: Presented) -> list[Finding]:
    chain = shown.certificates()
    if not chain:
        return [info("broker-certificate", f"{broker} presents a certificate that cannot be parsed")]
    certificate = chain[0]
    issuer = certificate.issuer.rfc4514_string()
    good_for = ", ".join(host_names(certificate)) or "no host name"
    text = f"{broker} presents {subject(certificate)}, issued by {issuer}, for {good_for} ({shown.version})"
    validity = check_validity("broker-certificate", "the broker's certificate", certificate, "ask DFN-CERT to renew it")
    return [info("broker-certificate", text), validity]
