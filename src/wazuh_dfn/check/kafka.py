"""Checks of what the broker offers, and of our topic: is it there, may we write to it, is its leader within reach. Nothing is written."""

from __future__ import annotations

from aiokafka.errors import for_code

from wazuh_dfn.check.broker import TlsContexts
from wazuh_dfn.check.findings import Finding, failure, has_failure, ok
from wazuh_dfn.kafka.client_errors import SET_IDEMPOTENCE, in_words, known_reason, topic_reason
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.inquiry import Answers, inquire
from wazuh_dfn.kafka.ladder import explain
from wazuh_dfn.kafka.producer_options import KafkaOptions

_ASK = "ask DFN-CERT to allow our certificate to write to this topic"


async def check_kafka(address: str, options: KafkaOptions, tls: TlsContexts | None, within: float) -> list[Finding]:
    """Ask a broker that was found to answer, then look at the topic's leader if that is another."""
    context = tls.verifying if tls is not None else None
    try:
        answers = await inquire(address, options, context, within)
    except BrokerUnavailableError as error:
        return [failure("kafka", error.reason, "check again; if it stays so, ask DFN-CERT whether the broker is well")]
    findings = judge(answers, options)
    if answers.leader is not None and answers.leader not in options.addresses and not has_failure(findings):
        findings.append(await _check_leader(answers.leader, tls, within))
    return findings


def judge(answers: Answers, options: KafkaOptions) -> list[Finding]:
    """Put a broker's answers into words."""
    offered = ", ".join(f"{name} {versions}" for name, versions in answers.offered.items())
    if answers.missing:
        return [_incompatible(answers, offered)]
    findings = [ok("kafka", f"a Kafka broker with the versions that we need: {offered}"), *_judge_topic(answers, options)]
    if options.idempotence and not has_failure(findings):
        findings.append(_judge_idempotence(answers.producer_error or 0, options))
    return findings


def _incompatible(answers: Answers, offered: str) -> Finding:
    if answers.missing == ("InitProducerId",):
        return failure("kafka", "the broker does not support idempotent producers (InitProducerId)", SET_IDEMPOTENCE)
    text = f"the broker does not offer {' and '.join(answers.missing)} in a version that we speak (offered: {offered or 'nothing of it'})"
    return failure("kafka", text, "ask DFN-CERT which Kafka this is; with kafka.compression_type = zstd, set gzip")


def _judge_topic(answers: Answers, options: KafkaOptions) -> list[Finding]:
    topic = options.topic
    if answers.topic_error:
        known = topic_reason(answers.topic_error, topic)
        text = known.reason if known is not None else f"topic {topic}: {in_words(for_code(answers.topic_error)())}"
        not_authorised = "not authorised" in text
        create = (
            "compare dfn.dfn_id with the customer id that DFN-CERT gave you; nobody has made the topic yet if that is right: ask DFN-CERT"
        )
        return [failure("topic", text, _ASK if not_authorised else create)]
    if answers.leader is None:
        text = f"topic {topic}: partition {answers.partition}, where our records go, has no leader now"
        return [failure("topic", text, "wait: alerts stay in the file meanwhile; if it lasts, tell DFN-CERT")]
    findings = [ok("topic", f"topic {topic} is there ({answers.partitions} partition(s), our records go to {answers.partition})")]
    if answers.may_write is False:
        findings.append(failure("topic-write", f"not authorised to write to topic {topic}, only to look at it", _ASK))
    elif answers.may_write:
        findings.append(ok("topic-write", f"we may write to topic {topic}"))
    return findings


def _judge_idempotence(code: int, options: KafkaOptions) -> Finding:
    if not code:
        return ok("idempotence", "the broker gives us a producer id")
    error = for_code(code)()
    known = known_reason(error, options)
    text = known.reason if known is not None else f"the broker gives no producer id: {in_words(error)}"
    remedy = _ASK if known is not None else f"if it does not support idempotent producers, {SET_IDEMPOTENCE}"
    return failure("idempotence", text, remedy)


async def _check_leader(leader: str, tls: TlsContexts | None, within: float) -> Finding:
    problem = await explain([leader], tls.verifying if tls else None, within, trusted=tls.trusted if tls else "")
    if problem is None:
        return ok("topic-leader", f"the topic's leader, {leader}, is within reach")
    text = f"the broker sends us to its advertised address {leader}: {problem.reason}"
    return failure("topic-leader", text, f"let this machine out to {leader} in the firewall, or tell DFN-CERT if that address is wrong")
