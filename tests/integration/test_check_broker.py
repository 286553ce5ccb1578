"""`wazuh-dfn check` and the broker: for each thing that is wrong with it the line, the remedy and the exit code."""

import json
import os
import pty
import socket
import subprocess
import sys
import threading
import time

import anyio
import pytest

from support.brokers import MockBroker, NoidaBroker, TansuBroker, free_port
from support.checking import Site
from support.daemon import TOPIC
from support.kafka_read import read_all
from support.outage import create_topic_with
from support.tls_proxy import TlsProxy
from wazuh_dfn.check.send_test import check_by_sending, judge_clock
from wazuh_dfn.check.topic import check_kafka, judge
from wazuh_dfn.kafka.inquiry import Answers
from wazuh_dfn.kafka.producer_options import KafkaOptions

pytestmark = pytest.mark.integration

PRODUCE, METADATA, INIT_PRODUCER_ID = 0, 3, 22
NOT_TOLD = (-(2**31)).to_bytes(4, "big", signed=True)
"""What this broker answers when asked what we may do, for the topic and for the cluster."""
DESCRIBE, WRITE = 1 << 8, 1 << 4


@pytest.fixture(scope="module")
def broker(shared_broker):
    return shared_broker


@pytest.fixture
def mock():
    with MockBroker() as running:
        running.create_topic(TOPIC)
        yield running


def check(bootstrap, *arguments, **settings):
    with Site(bootstrap, **settings) as site:
        return site.check(*arguments)


def failed(outcome, name):
    assert outcome.code == 1
    assert outcome.of("failure") == {name}, outcome.text
    return outcome.one(name, "failure")


def test_a_name_that_does_not_resolve():
    found = failed(check("broker.invalid:9092", kafka={"security_protocol": "PLAINTEXT"}), "broker-name")
    assert "the broker's name broker.invalid cannot be resolved: unknown host" in found.text
    assert "getent ahosts broker.invalid" in found.remedy


def test_a_port_where_nobody_listens():
    address = f"127.0.0.1:{free_port()}"
    found = failed(check(address), "broker-tcp")
    assert found.text == f"connection refused by {address}"
    assert f"no firewall blocks connections from this machine to {address}" in found.remedy


def test_a_port_that_is_no_brokers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_as_a_web_server, args=(server,))
        thread.start()
        found = failed(check(f"127.0.0.1:{server.getsockname()[1]}"), "kafka")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "does not speak the Kafka protocol" in found.text
    assert "correct the port" in found.remedy


def answer_as_a_web_server(server):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()


def test_a_frozen_broker_ends_in_time(broker):
    broker.freeze()
    began = time.monotonic()
    try:
        outcome = check(broker.bootstrap, "--send-test", kafka={"timeout": 1})
    finally:
        broker.thaw()
    assert time.monotonic() - began < 30, "seconds, of which 1 for its answer"
    assert "accepts connections, but does not answer a Kafka request within 1 s" in failed(outcome, "kafka").text


@pytest.mark.parametrize("step", [lambda options: check_kafka(options.brokers[0], options, None, 1), check_by_sending], ids=["ask", "send"])
def test_a_broker_that_freezes_later_ends_each_step_in_time(broker, step):
    broker.freeze()
    began = time.monotonic()
    try:
        [found] = anyio.run(step, KafkaOptions(broker.bootstrap, TOPIC, timeout_seconds=1))
    finally:
        broker.thaw()
    assert time.monotonic() - began < 30, "seconds, of which 1 for its answer and 3 to close"
    assert found.level == "failure"
    assert "within " in found.text


def test_one_broker_of_several_is_enough(broker):
    nowhere = f"127.0.0.1:{free_port()}"
    outcome = check(f"{nowhere},{broker.bootstrap}")
    assert outcome.code == 0
    assert f"connection refused by {nowhere}" in outcome.one("broker-tcp", "warning").text
    assert outcome.one("topic", "ok")


def test_a_topic_that_does_not_exist_is_not_made_by_asking(broker):
    for _ in range(2):
        found = failed(check(broker.bootstrap, dfn={"dfn_id": "nobody-s"}), "topic")
        assert found.text == "topic nobody-s does not exist"
        assert "compare dfn.dfn_id" in found.remedy


def test_a_topic_that_we_may_not_see(mock):
    mock.topic_error(TOPIC, 29)
    found = failed(check(mock.bootstrap), "topic")
    assert found.text == f"not authorised to write to topic {TOPIC}: the right DESCRIBE on it is missing (or it does not exist)"
    assert "allow our certificate to write" in found.remedy


@pytest.mark.parametrize(("operations", "level"), [(DESCRIBE, "failure"), (DESCRIBE | WRITE, "ok")])
def test_a_broker_that_tells_our_rights_is_believed(broker, operations, level):
    """No broker here has access control, so a proxy puts the rights into its answer."""
    with TlsProxy(None, broker.bootstrap, host="127.0.0.1") as proxy:
        proxy.rewrite(NOT_TOLD * 2, operations.to_bytes(4, "big") + NOT_TOLD)
        outcome = check(proxy.address)
    found = outcome.one("topic-write", level)
    assert outcome.code == (level == "failure")
    assert TOPIC in found.text
    assert level == "ok" or "the right WRITE on it is missing" in found.text


def test_no_right_to_write_idempotently(mock):
    mock.push_errors(INIT_PRODUCER_ID, 31)
    found = failed(check(mock.bootstrap), "idempotence")
    assert "not authorised to write idempotently" in found.text
    assert "allow our certificate" in found.remedy


def test_a_broker_that_has_just_started_is_asked_again_for_a_producer_id(mock):
    mock.push_errors(INIT_PRODUCER_ID, 14, 15, 14)
    assert check(mock.bootstrap).code == 0


def test_a_broker_that_gives_no_producer_id():
    with TansuBroker() as broker:
        broker.create_topic(TOPIC)
        found = failed(check(broker.bootstrap), "idempotence")
        assert "kafka.idempotence = false" in found.remedy
        assert check(broker.bootstrap, kafka={"idempotence": False}).code == 0


def test_a_broker_without_idempotence(mock):
    mock.set_versions(INIT_PRODUCER_ID, -1, -1)
    found = failed(check(mock.bootstrap), "kafka")
    assert "does not support idempotent producers" in found.text
    assert found.remedy == "set kafka.idempotence = false"


@pytest.mark.parametrize(("highest", "kafka"), [(2, {}), (6, {"compression_type": "zstd"})])
def test_a_broker_that_is_too_old(mock, highest, kafka):
    mock.set_versions(PRODUCE, 0, highest)
    found = failed(check(mock.bootstrap, kafka=kafka), "kafka")
    assert "does not offer Produce in a supported version" in found.text
    assert f"Produce 0-{highest}" in found.text


def test_a_partition_without_a_leader():
    [*_, found] = judge(Answers({}, (), partitions=3, partition=1), KafkaOptions("h:1", TOPIC))
    assert (found.level, found.check) == ("failure", "topic")
    assert "partition 1, which our records go to, has no leader" in found.text


def test_a_test_record_is_marked_and_sent_only_on_request(tmp_path):
    with NoidaBroker(tmp_path / "broker") as broker:
        broker.create_topic(TOPIC)
        assert "only in response to a record" in check(broker.bootstrap).one("clock", "info").text
        assert "was delivered" in check(broker.bootstrap, "--send-test").one("send-test", "ok").text
        [(_, _, value)] = read_all(broker.bootstrap, TOPIC, expect=1)
    record = json.loads(value)
    assert record.keys() == {"event_format", "hostname", "time"}
    assert (record["event_format"], record["hostname"]) == ("wazuh-dfn-test", socket.gethostname())


def test_a_test_record_that_is_refused(mock):
    mock.push_errors(PRODUCE, 29)
    found = failed(check(mock.bootstrap, "--send-test"), "send-test")
    assert f"not authorised to write to topic {TOPIC}" in found.text


def test_clocks_are_compared_where_the_broker_tells_its_time(broker):
    create_topic_with(broker.bootstrap, {"message.timestamp.type": "LogAppendTime"}, "timed")
    outcome = check(broker.bootstrap, "--send-test", dfn={"dfn_id": "timed"})
    assert outcome.code == 0
    assert "differ by less than 5 s" in outcome.one("clock", "ok").text


def test_a_broker_whose_clock_is_wrong_is_a_warning(mock):
    """This broker thinks that it is 1970."""
    outcome = check(mock.bootstrap, "--send-test")
    assert outcome.code == 0
    found = outcome.one("clock", "warning")
    assert "s behind this machine's" in found.text
    assert "timedatectl" in found.remedy


@pytest.mark.parametrize(("appended_at", "level"), [(94.9, "warning"), (95.1, "ok"), (100.5, "ok"), (105.9, "ok"), (106.1, "warning")])
def test_up_to_five_seconds_of_skew_are_tolerated_beside_the_time_that_the_answer_took(appended_at, level):
    assert judge_clock(100, 101, appended_at).level == level


def command(*arguments):
    return [sys.executable, "-m", "wazuh_dfn", "check", *arguments]


def test_the_process_ends_with_the_exit_code_and_json_is_alone_on_its_output(broker, tmp_path):
    with Site(broker.bootstrap) as site:
        site.alerts.unlink()
        done = subprocess.run(command("--config", str(site.daemon.config), "--json"), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert json.loads(done.stdout)["failures"] == 1
    wrong = tmp_path / "config.toml"
    wrong.write_text('[dfn]\ndfn_broker = "nowhere"\n')
    done = subprocess.run(command("--config", str(wrong), "--json"), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"{wrong}:2".encode() in done.stderr


def test_on_a_terminal_there_are_colours_and_progress(broker):
    with Site(broker.bootstrap) as site:
        main, terminal = pty.openpty()
        arguments = command("--config", str(site.daemon.config), "--wait", "0.3")
        environment = os.environ | {"TERM": "xterm"}
        with subprocess.Popen(arguments, stdout=terminal, stderr=terminal, stdin=terminal, env=environment) as process:
            os.close(terminal)
            text = read_terminal(main)
        assert process.returncode == 0
    assert b"\x1b[32mok" in text
    assert b"checking alert-growing" in text


def read_terminal(descriptor):
    text = b""
    try:
        while piece := os.read(descriptor, 4096):
            text += piece
    except OSError:  # the other end is closed
        pass
    os.close(descriptor)
    return text
