"""`--send-test`: sends one marked record as alerts are sent.

Kafka reports the broker's time only in the acknowledgement of a record.
"""

from __future__ import annotations

import json
import socket
import time
from datetime import datetime

from wazuh_dfn.check.findings import Finding, failure, info, ok, warning
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.faults import BrokerUnavailableError, RecordsRejectedError
from wazuh_dfn.kafka.producer_options import KafkaOptions

TEST_FORMAT = "wazuh-dfn-test"
_TOLERATED_SECONDS = 5.0


def marked_record() -> bytes:
    """Return the record's value, a JSON object whose `event_format` distinguishes it from every alert."""
    now = datetime.now().astimezone().isoformat(timespec="milliseconds")
    return json.dumps({"event_format": TEST_FORMAT, "hostname": socket.gethostname(), "time": now}).encode()


async def check_by_sending(options: KafkaOptions) -> list[Finding]:
    """Deliver one record within `options.timeout_seconds` and compare the clocks."""
    factory = AiokafkaProducerFactory(options)
    try:
        producer = await factory.connect()
        try:
            began = time.time()
            await producer.deliver([marked_record()])
            ended = time.time()
            appended_at = producer.appended_at
        finally:
            await factory.close(producer)
    except (BrokerUnavailableError, RecordsRejectedError) as error:
        return [
            failure(
                "send-test",
                f"the test record was not delivered: {error.reason}",
                "fix the problem reported here or above, then check again",
            )
        ]
    delivered = ok("send-test", f"a record was delivered to topic {options.topic} and acknowledged in {ended - began:.3f} s")
    return [delivered, judge_clock(began, ended, appended_at)]


def judge_clock(began: float, ended: float, appended_at: float | None) -> Finding:
    """Compare the broker's time with ours.

    Args:
        began: Our time before the record was sent, in seconds since the epoch.
        ended: Our time after it was acknowledged, in seconds since the epoch.
        appended_at: The broker's time when it stored the record, in seconds since the epoch. None if the topic keeps ours (CreateTime).
    """
    if appended_at is None:
        text = "not compared with the broker's: the topic stores the sender's time instead of the broker's"
        return info("clock", text)
    skew = appended_at - min(max(appended_at, began), ended)
    if abs(skew) > _TOLERATED_SECONDS:
        text = f"the broker's clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
        return warning("clock", text, "check that this machine's clock is synchronised (timedatectl)")
    return ok("clock", f"this machine's clock and the broker's differ by less than {_TOLERATED_SECONDS:.0f} s")


def clock_not_compared() -> Finding:
    """Return why clocks are not compared without a test record."""
    return info("clock", "not compared with the broker's: Kafka reports its time only in response to a record (--send-test)")
