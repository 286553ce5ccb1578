"""The checks of the path to the topic, in order: certificates, each broker, the topic, and on request a test record."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from wazuh_dfn.check.broker import check_broker
from wazuh_dfn.check.certificates import check_certificates
from wazuh_dfn.check.deadlines import DISK_SECONDS, in_time
from wazuh_dfn.check.findings import Finding, Level, has_failure, info
from wazuh_dfn.check.findings_report import Report
from wazuh_dfn.check.send_test import check_by_sending, clock_not_compared
from wazuh_dfn.check.topic import check_kafka
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.producer_options import KafkaOptions
from wazuh_dfn.kafka.tls_context import TlsContexts, make_tls_contexts
from wazuh_dfn.own_thread import in_own_thread

_BROKER_SECONDS = 10.0
"""Maximum time in seconds for one step towards a broker. A shorter kafka.timeout takes precedence."""
_STEPS = 4
"""Maximum number of steps of a check. Each step has its own deadline, and reports more than the deadline of the whole check."""


async def check_delivery(settings: Settings, report: Report, *, send_test: bool) -> None:
    """Run the checks until one makes the following ones pointless. With `send_test`, write one record to the topic."""
    within = min(_BROKER_SECONDS, settings.kafka.timeout)
    options = replace(KafkaOptions.of(settings), timeout_seconds=within)
    if options.tls is None:
        report.add([info("certificates", f"no certificates are used: {settings.plaintext_reason}")])
    tls = await _check_tls(options, report)
    if options.tls is not None and tls is None:
        report.add([info("broker-tls", "not tested: the TLS files cannot be used")])
        return
    working = await _check_brokers(options, tls, within, report)
    if working is None:
        return
    with report.working("topic"):
        report.add(await in_time("topic", _STEPS * within, partial(check_kafka, working, options, tls, within)))
    if not send_test:
        report.add([clock_not_compared()])
        return
    with report.working("send-test"):
        report.add(await in_time("send-test", _STEPS * within, partial(check_by_sending, options)))


async def _check_tls(options: KafkaOptions, report: Report) -> TlsContexts | None:
    files = options.tls
    contexts: list[TlsContexts] = []
    if files is None:
        return None

    def read() -> list[Finding]:
        findings = check_certificates(files)
        with suppress(BrokerUnavailableError):  # a finding gives the reason
            contexts.append(make_tls_contexts(files))
        return findings

    with report.working("certificates"):
        report.add(await in_time("certificates", DISK_SECONDS, partial(in_own_thread, read)))
    return contexts[0] if contexts else None


async def _check_brokers(options: KafkaOptions, tls: TlsContexts | None, within: float, report: Report) -> BrokerAddress | None:
    """Check all addresses and return the first one without failures, or None.

    One working broker is enough, so failures of the other addresses become warnings then.
    """
    found: dict[BrokerAddress, list[Finding]] = {}
    for broker in options.brokers:
        with report.working(f"broker {broker}"):
            found[broker] = await in_time("broker", _STEPS * within, partial(check_broker, broker, tls, within, options.proxy))
    working = next((broker for broker in options.brokers if not has_failure(found[broker])), None)
    for findings in found.values():
        report.add(findings if working is None else [_lowered(finding) for finding in findings])
    return working


def _lowered(finding: Finding) -> Finding:
    return replace(finding, level=Level.WARNING) if finding.level is Level.FAILURE else finding
