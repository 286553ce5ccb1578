"""Checks of the way to one broker: its name, TCP, TLS with what it presents, and whether Kafka answers there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import anyio
from cryptography import x509

from wazuh_dfn.adapters.reachability import Presented, presented, resolve, unverifying_context
from wazuh_dfn.check.certificate_text import check_validity, subject
from wazuh_dfn.check.deadlines import in_thread
from wazuh_dfn.check.findings import Finding, failure, info, ok
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.ladder import Problem, Step, explain
from wazuh_dfn.kafka.producer_options import TlsFiles
from wazuh_dfn.kafka.tls_context import make_tls_context
from wazuh_dfn.kafka.tls_errors import TlsCode, host_names

_STEPS: tuple[Step, ...] = ("name", "tcp", "tls", "kafka")
_REMEDIES: dict[Step, str] = {
    "name": "correct dfn.dfn_broker, or look at this machine's name servers (getent ahosts {host})",
    "tcp": "look whether a firewall lets this machine out to {where}; otherwise ask DFN-CERT whether the broker runs",
    "tls": "compare dfn.dfn_broker, dfn.dfn_ca and dfn.dfn_cert with what DFN-CERT gave you",
    "kafka": "correct the port in dfn.dfn_broker, or ask DFN-CERT whether the broker runs",
}
_TLS_REMEDIES = {
    TlsCode.REFUSED: "name the certificate that DFN-CERT gave you in dfn.dfn_cert and dfn.dfn_key, or ask for a new one",
    TlsCode.EXPIRED: "tell DFN-CERT, it must be renewed; look at this machine's clock too (timedatectl)",
    TlsCode.OTHER_NAME: "write one of the names that the broker presents into dfn.dfn_broker; if it presents none, tell DFN-CERT",
    TlsCode.UNTRUSTED: "name the CA's file that DFN-CERT gave you in dfn.dfn_ca; if that is right, somebody may be between you and the broker",
    TlsCode.NOT_YET_VALID: "look at this machine's clock (timedatectl)",
    TlsCode.REVOKED: "ask DFN-CERT: somebody may be between you and the broker",
    TlsCode.NO_REVOCATION_LIST: "get the CA's present revocation list and name it in dfn.dfn_crl",
}


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """One to verify the broker with, and one to look at what it presents."""

    verifying: ssl.SSLContext
    unverifying: ssl.SSLContext
    trusted: str

    @classmethod
    def of(cls, files: TlsFiles) -> TlsContexts:
        """Read the files; it blocks on the disk.

        Raises:
            BrokerUnavailableError: one can't be read or used.
        """
        trusted = "the CA of dfn.dfn_ca" if files.ca is not None else "a CA that this system trusts (dfn.dfn_ca is not set)"
        return cls(make_tls_context(files), unverifying_context(files), trusted)


async def check_broker(broker: BrokerAddress, tls: TlsContexts | None, within: float) -> list[Finding]:
    """Try one address step by step, up to the first that fails.

    Args:
        broker: its address.
        tls: None for a connection without.
        within: seconds for the steps together; name lookup, and a look at the certificate, take as many again at most.
    """
    found = await _resolve(broker, within)
    if isinstance(found, Finding):
        return [found]
    problem = await explain([str(broker)], tls.verifying if tls else None, within, trusted=tls.trusted if tls else "")
    reached = _STEPS.index(problem.failed) if problem else len(_STEPS)
    findings = [ok("broker-name", f"{broker.host} resolves to {', '.join(found)}")]
    if reached > _STEPS.index("tcp"):
        findings.append(ok("broker-tcp", f"{broker} accepts connections"))
        if tls is None:
            findings.append(info("broker-tls", "not encrypted"))
        elif problem is None or problem.failed != "tls" or problem.needs_operator:  # otherwise there is no handshake
            findings += await _look_at_certificate(broker, tls, within)
        if tls is not None and reached > _STEPS.index("tls"):
            findings.append(ok("broker-tls", "certificate and name of the broker verified"))
    if problem is not None:
        findings.append(_failure(broker, problem))
    return findings


async def _look_at_certificate(broker: BrokerAddress, tls: TlsContexts, within: float) -> list[Finding]:
    with anyio.move_on_after(within):
        shown = await presented(broker.host, broker.port, tls.unverifying)
        return _describe(broker, shown) if shown is not None else []
    return []


async def _resolve(broker: BrokerAddress, within: float) -> list[str] | Finding:
    remedy = _REMEDIES["name"].format(host=broker.host)
    try:
        with anyio.fail_after(within):
            return await in_thread(lambda: resolve(broker.host, broker.port))
    except TimeoutError:
        return failure("broker-name", f"the name {broker.host} was not resolved within {within:.3g} s", remedy)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return failure("broker-name", f"the name {broker.host} does not resolve: {reason}", remedy)


def _describe(broker: BrokerAddress, shown: Presented) -> list[Finding]:
    try:
        certificate = x509.load_der_x509_certificate(shown.certificate)
    except ValueError:
        return [info("broker-certificate", f"{broker} presents a certificate that can't be read")]
    issuer = certificate.issuer.rfc4514_string()
    good_for = ", ".join(host_names(certificate)) or "no host name"
    text = f"{broker} presents {subject(certificate)}, issued by {issuer}, for {good_for} ({shown.version})"
    validity = check_validity("broker-certificate", "the broker's certificate", certificate, "tell DFN-CERT, it must be renewed")
    return [info("broker-certificate", text), validity]


def _failure(broker: BrokerAddress, problem: Problem) -> Finding:
    remedy = _REMEDIES[problem.failed].format(host=broker.host, where=broker)
    if problem.tls is not None:
        remedy = _TLS_REMEDIES.get(problem.tls, remedy)
    elif problem.is_other_protocol:
        remedy = "if it does, name the certificates in [dfn] and take kafka.security_protocol out"
    return failure(f"broker-{problem.failed}" if problem.failed != "kafka" else "kafka", problem.reason, remedy)
