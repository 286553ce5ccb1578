"""Checks of the broker's API versions and of our topic: existence, right to write, leader. Nothing is written."""

from __future__ import annotations

import anyio

from wazuh_dfn.check.findings import Finding, failure, has_failure, ok
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.client_errors import in_words, known_fault
from wazuh_dfn.kafka.dialling import DIAL_ERRORS, dial, hang_up
from wazuh_dfn.kafka.faults import BrokerUnavailableError, Fault, FaultCode, Rung
from wazuh_dfn.kafka.inquiry import Answers, fault_of, inquire
from wazuh_dfn.kafka.ladder import explain
from wazuh_dfn.kafka.producer_options import KafkaOptions
from wazuh_dfn.kafka.tls_context import TlsContexts

_RUNGS = list(Rung)


async def check_kafka(broker: BrokerAddress, options: KafkaOptions, tls: TlsContexts | None, within: float) -> list[Finding]:
    """Query a broker that answered before, then probe the topic's leader if its address is not among the configured ones."""
    try:
        with anyio.fail_after(within):
            answers = await _answers(broker, options, tls, within)
    except TimeoutError:
        return [_failure(Fault(FaultCode.KAFKA_SILENT, f"{broker} did not answer within {within:.3g} s", broker))]
    except BrokerUnavailableError as error:
        return [_failure(error.fault)]
    except DIAL_ERRORS as error:
        return [_failure(known_fault(error, options) or Fault(FaultCode.KAFKA_CLOSED, f"{broker}: {in_words(error)}", broker))]
    findings = judge(answers, options)
    if answers.leader is not None and answers.leader not in options.brokers and not has_failure(findings):
        findings.append(await _check_leader(answers.leader, options, tls, within))
    return findings


async def _answers(broker: BrokerAddress, options: KafkaOptions, tls: TlsContexts | None, within: float) -> Answers:
    connection = await dial(broker, options, tls.verifying if tls is not None else None, within=within)
    try:
        return await inquire(connection, options)
    finally:
        hang_up(connection)


def judge(answers: Answers, options: KafkaOptions) -> list[Finding]:
    """Convert a broker's answers into findings, one per rung up to the first that fails."""
    fault, topic = fault_of(answers, options), options.topic
    offered = ", ".join(f"{name} {versions}" for name, versions in answers.offered.items())
    passed = {
        Rung.KAFKA: f"a Kafka broker with the required API versions: {offered}",
        Rung.TOPIC: f"topic {topic} exists ({answers.partitions} partition(s), our records go to {answers.partition})",
    }
    if answers.may_write is not None:
        passed[Rung.WRITE] = f"we may write to topic {topic}"
    if options.idempotence:
        passed[Rung.PRODUCER_ID] = "the broker assigns a producer id"
    reached = _RUNGS.index(fault.code.rung) if fault is not None else len(_RUNGS)
    findings = [ok(rung, text) for rung, text in passed.items() if _RUNGS.index(rung) < reached]
    return [*findings, _failure(fault)] if fault is not None else findings


async def _check_leader(leader: BrokerAddress, options: KafkaOptions, tls: TlsContexts | None, within: float) -> Finding:
    fault = await explain([leader], tls, within, options.proxy)
    if fault is None:
        return ok("topic-leader", f"the topic's leader, {leader}, is reachable")
    text = f"the broker refers us to its advertised address {leader}: {fault.text}"
    return failure(
        "topic-leader",
        text,
        f"allow connections from this machine to {leader} in the firewall, or contact DFN-CERT if that address is wrong",
    )


def _failure(fault: Fault) -> Finding:
    return failure(fault.code.rung, fault.text, fault.remedy)
