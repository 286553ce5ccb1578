"""What must hold across sections before the daemon may run, and what is allowed but worth a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wazuh_dfn.config.daemon_sections import HealthApiSettings
from wazuh_dfn.config.documents import Given, KeyPath
from wazuh_dfn.config.setting_findings import Finding, about_key, show
from wazuh_dfn.config.settings import Settings

SHORT_TOKEN = 16
_ID: KeyPath = ("dfn", "dfn_id")
_BROKER: KeyPath = ("dfn", "dfn_broker")
_CERTIFICATES: tuple[KeyPath, ...] = (("dfn", "dfn_cert"), ("dfn", "dfn_key"), ("dfn", "dfn_ca"), ("dfn", "dfn_crl"))
_SASL: KeyPath = ("kafka", "sasl_mechanism")
_PROTOCOL: KeyPath = ("kafka", "security_protocol")


def broken_rules(settings: Settings, findings: list[Finding], values: Mapping[KeyPath, Given], label: str) -> list[Finding]:
    """Find out what keeps the daemon from running.

    Args:
        settings: The settings.
        findings: What is wrong already. What only follows from that is left out.
        values: The values that were given.
        label: The place to name for a key that was not given.
    """
    bad = {key for finding in findings for key in finding.keys}
    broken = [(keys, text) for keys, text in _broken(settings) if bad.isdisjoint(keys)]
    return [about_key(values[keys[0]].place if keys[0] in values else label, keys[0], text) for keys, text in broken]


def _broken(settings: Settings) -> Iterator[tuple[tuple[KeyPath, ...], str]]:
    """Yield for each broken rule the keys that it is about, the first one being the one to report, and what is wrong."""
    if settings.dfn.dfn_id is None:
        yield (_ID,), "missing; set it to the customer id that DFN-CERT gave you, it is the Kafka topic to deliver to"
    if not settings.uses_tls and settings.plaintext_reason is None:
        text = (
            f"{show(_BROKER, settings.dfn.dfn_broker)} is not on this machine and no certificate is named, so alerts would travel unencrypted; "
            "set dfn.dfn_cert and dfn.dfn_key (version 0.23 took /opt/wazuh-dfn/certs/dfn-cert.pem and dfn-key.pem when they were not set), "
            'or kafka.security_protocol = "PLAINTEXT" if unencrypted is what you want'
        )
        yield (_BROKER, *_CERTIFICATES, _PROTOCOL), text
    elif not settings.uses_tls and settings.kafka.sasl_mechanism == "PLAIN":
        text = (
            "PLAIN sends the password as it is, and the connection is not encrypted; set dfn.dfn_ca or dfn.dfn_cert, or take SCRAM-SHA-512"
        )
        yield (_SASL, *_CERTIFICATES, _PROTOCOL), text


def cautions(settings: Settings) -> list[str]:
    """Return a warning for each thing that is allowed but probably not meant."""
    return [*_cautions_of_the_broker(settings), *_cautions_of_the_api(settings.health.api)]


def _cautions_of_the_api(api: HealthApiSettings) -> list[str]:
    if not api.enabled or api.auth_token is None:
        return []
    found = []
    if not api.https_enabled and not api.is_loopback:
        found.append("health.api.https_enabled: the token travels unencrypted; set health.api.https_enabled, cert_file and key_file")
    if len(api.auth_token) < SHORT_TOKEN:
        found.append(f"health.api.auth_token: it is short enough to be guessed; take a random one of {SHORT_TOKEN} characters or more")
    return found


def _cautions_of_the_broker(settings: Settings) -> list[str]:
    if settings.uses_tls:
        if settings.dfn.dfn_cert is None and settings.kafka.sasl_mechanism is None:
            return ["dfn.dfn_cert: without a client certificate most brokers refuse the connection; set dfn.dfn_cert and dfn.dfn_key"]
        return []
    if settings.dfn.names_certificates:
        return ['kafka.security_protocol = "PLAINTEXT": the certificates of [dfn] are not used, alerts travel unencrypted']
    if not all(broker.is_loopback for broker in settings.dfn.brokers):
        return ['kafka.security_protocol = "PLAINTEXT": alerts travel unencrypted to another machine']
    return []
