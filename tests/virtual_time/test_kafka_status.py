"""What is told of an outage: since when, and for how long, as the administrator would count it."""

import pytest
import trio
from structlog.testing import capture_logs

from support.virtual_clock import run_on_virtual_clock
from wazuh_dfn.config.addresses import BrokerAddress
from wazuh_dfn.kafka.faults import Fault, FaultCode
from wazuh_dfn.kafka.kafka_status import KafkaStatus

pytestmark = pytest.mark.trio(run=run_on_virtual_clock)


def delivering():
    status = KafkaStatus()
    status.connected()
    status.begins()
    status.acknowledged(0.1, [])
    return status


async def test_an_outage_counts_from_the_delivery_that_was_not_acknowledged_not_from_when_that_was_given_up():
    status = delivering()
    await trio.sleep(1_000)
    status.begins()
    await trio.sleep(57)
    status.failed(Fault(FaultCode.NOT_ACKNOWLEDGED, "no acknowledgement"))
    status.begins()
    await trio.sleep(37)
    with capture_logs() as logs:
        status.acknowledged(37.0, [])
    assert [(log["event"], log["after_seconds"]) for log in logs] == [("broker is back, delivering again", 94.0)]


async def test_an_outage_in_which_nothing_was_to_be_delivered_counts_from_when_it_was_noticed():
    status = delivering()
    await trio.sleep(1_000)
    status.failed(Fault(FaultCode.REFUSED, "connection refused"))
    await trio.sleep(20)
    with capture_logs() as logs:
        status.reached()
    assert [log["after_seconds"] for log in logs] == [20.0]


async def test_the_next_outage_begins_anew():
    status = delivering()
    for seconds in (10, 20):
        status.begins()
        status.failed(Fault(FaultCode.REFUSED, "connection refused"))
        await trio.sleep(seconds)
        with capture_logs() as logs:
            status.acknowledged(0.1, [])
        assert [log["after_seconds"] for log in logs] == [seconds]
        await trio.sleep(100)


async def test_a_fault_is_logged_with_its_code_and_what_to_do_and_once():
    status = delivering()
    fault = Fault(FaultCode.REFUSED, "connection refused by h:1", BrokerAddress("h", 1))
    with capture_logs() as logs:
        status.failed(fault)
        status.failed(fault)
    [log] = logs
    assert (log["reason"], log["code"]) == ("connection refused by h:1", "refused")
    assert log["remedy"].startswith("check that no firewall blocks connections from this machine to h:1;")
    assert log["log_level"] == "warning"
