"""The daemon as systemd sees it: a real NOTIFY_SOCKET, signals, the real process and broker."""

import shutil
import signal
import time
from itertools import pairwise
from statistics import median

import anyio
import pytest

from support.brokers import TansuBroker, free_port
from support.certs import make_certificates
from support.corpus import arrived, fail2ban_alert, line, windows_alert
from support.daemon import TOPIC, Daemon
from support.kafka_read import read_all
from support.service_manager import ServiceManager
from support.tls_proxy import TlsProxy
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.daemon.run_daemon import real_world
from wazuh_dfn.daemon.sd_notify import ServiceNotifier
from wazuh_dfn.daemon.service_manager import Service
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.supervision.child import ChildSpec

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(shared_broker):
    return shared_broker


@pytest.fixture
def manager(tmp_path):
    with ServiceManager(tmp_path / "notify") as running:
        yield running


def daemon_for(tmp_path, bootstrap, manager, topic=TOPIC, watchdog_seconds=0.6, **settings):
    settings["dfn"] = {"dfn_id": topic, **settings.get("dfn", {})}
    daemon = Daemon(tmp_path, bootstrap, **settings)
    daemon.environment = manager.environment(watchdog_seconds)
    daemon.alerts.touch()
    return daemon


def wait_ready(daemon, manager, times=1):
    daemon.wait_until(lambda: manager.count("READY=1") == times, what=f"READY for the {times}. time")


def append(daemon, *alerts):
    with daemon.alerts.open("ab") as file:
        file.writelines(map(line, alerts))


def reload(daemon, manager):
    """SIGHUP; returns when that is done."""
    done = manager.count("READY=1")
    daemon.process.send_signal(signal.SIGHUP)
    wait_ready(daemon, manager, done + 1)


def test_it_is_ready_after_the_first_contact_tells_its_state_and_that_it_stops(tmp_path, broker, manager):
    broker.create_topic("ready")
    daemon = daemon_for(tmp_path, broker.bootstrap, manager, "ready")
    with daemon:
        wait_ready(daemon, manager)
        assert "connected to the broker" in daemon.log_text(), "although there is nothing to send"
        append(daemon, windows_alert(1))
        daemon.wait_until(lambda: any("1 delivered" in text for text in manager.statuses()), what="a status line with the count")
        assert "broker connected" in manager.statuses()[-1]
        assert daemon.stop() == 0
    assert manager.count("STOPPING=1") == 1
    assert "stopping" in manager.statuses()[-1]


def test_a_broker_that_is_away_does_not_keep_the_service_from_being_ready_and_the_status_says_why(tmp_path, manager):
    daemon = daemon_for(tmp_path, f"127.0.0.1:{free_port()}", manager)
    with daemon:
        wait_ready(daemon, manager)
        daemon.wait_until(lambda: any("broker unavailable (" in text for text in manager.statuses()), what="the reason")
        assert daemon.stop() == 0


def test_as_long_as_the_first_contact_takes_more_time_is_asked_for_and_a_stop_does_not_wait_for_it(tmp_path, broker, manager):
    broker.freeze()
    try:
        daemon = daemon_for(tmp_path, broker.bootstrap, manager, kafka={"timeout": 60})
        with daemon:
            daemon.wait_until(lambda: manager.count("EXTEND_TIMEOUT_USEC=") > 0, what="a request for more time")
            assert manager.count("READY=1") == 0
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < 20, "seconds, for a moment's work on any machine; the connection's timeout is a minute"
    finally:
        broker.thaw()


def test_the_watchdog_is_fed_in_time_and_its_signal_tells_where_the_daemon_hung(tmp_path, broker, manager):
    daemon = daemon_for(tmp_path, broker.bootstrap, manager, watchdog_seconds=2)
    with daemon:
        daemon.wait_until(lambda: manager.count("WATCHDOG=1") >= 4, what="food for the watchdog")
        fed = [at for at, text in manager.messages if text == "WATCHDOG=1"]
        assert median(later - earlier for earlier, later in pairwise(fed)) < 2, (
            "a machine that stands still for a moment is none of its business"
        )
        daemon.process.send_signal(signal.SIGABRT)  # as systemd does when the food fails to come
        assert daemon.process.wait(60) == -signal.SIGABRT
    assert "Current thread" in daemon.log_text(), "where it hung"


def test_an_actor_that_hangs_and_can_not_be_stopped_starves_the_watchdog(tmp_path, manager, monkeypatch):
    monkeypatch.setattr("wazuh_dfn.supervision.child.OVERDUE_SECONDS", 0.2)
    settings = Settings.model_validate({"wazuh": {"checkpoint_file": tmp_path / "c", "failed_alerts_path": tmp_path / "d"}})
    notifier = ServiceNotifier(manager.environment(watchdog_seconds=0.1))

    async def run():
        is_over = anyio.Event()

        async def stubborn(lifeline):
            lifeline.started()
            while not manager.count("WATCHDOG=1"):
                lifeline.progress()
                await anyio.sleep(0.01)
            with anyio.CancelScope(shield=True):
                await is_over.wait()

        pipeline = Pipeline(settings, real_world(settings))
        supervisor = pipeline.supervisor([ChildSpec("stubborn", stubborn, progress_deadline_seconds=0.05)])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            tasks.start_soon(Service(pipeline, supervisor, notifier).run)
            with anyio.fail_after(60):
                while manager.count("STATUS=hanging: stubborn") < 10:
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
            is_over.set()

    anyio.run(run)
    hanging = [text.startswith("STATUS=hanging: stubborn") for text in manager.texts()].index(True)
    assert "WATCHDOG=1" not in manager.texts()[hanging:]


def test_without_a_service_manager_nothing_is_missing(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap)
    daemon.alerts.touch()
    with daemon:
        daemon.wait_for_log("connected to the broker")
        assert daemon.stop() == 0


def test_a_reload_changes_log_level_event_ids_and_own_networks_and_names_what_it_can_not_change(tmp_path, broker, manager):
    broker.create_topic("reload")
    daemon = daemon_for(tmp_path, broker.bootstrap, manager, "reload")
    with daemon:
        wait_ready(daemon, manager)
        append(daemon, windows_alert(1, "4768"), windows_alert(2), fail2ban_alert(3))
        daemon.wait_until(lambda: any("2 delivered" in text for text in manager.statuses()), what="the first two")
        daemon.write_config(
            log={"level": "DEBUG"},
            wazuh={"windows_event_ids": ["+4768", "-4625"]},
            misc={"own_network": "203.0.113.0/24"},
            kafka={"timeout": 11},
            dfn={"dfn_id": "elsewhere"},
        )
        reload(daemon, manager)
        assert any(text.startswith("RELOADING=1\nMONOTONIC_USEC=") for text in manager.texts())
        append(daemon, windows_alert(4, "4768"), windows_alert(5), fail2ban_alert(6))
        daemon.wait_until(lambda: any("3 delivered" in text and "6 lines read" in text for text in manager.statuses()), what="the third")
        assert 'changed="wazuh.windows_event_ids, log.level, misc.own_network"' in daemon.log_text()
        assert 'keys="dfn.dfn_id, kafka.timeout"' in daemon.log_text()
        assert daemon.stop() == 0
    assert "level=debug" in daemon.log_text()
    records = read_all(broker.bootstrap, "reload", expect=3)
    assert (arrived(records, "windows"), arrived(records, "fail2ban")) == ([2, 4], [3])


def test_a_reload_with_a_wrong_configuration_changes_nothing_and_says_why(tmp_path, broker, manager):
    daemon = daemon_for(tmp_path, broker.bootstrap, manager, "wrong")
    with daemon:
        wait_ready(daemon, manager)
        daemon.config.write_text("[log]\nlevel = 'LOUD'\n")
        reload(daemon, manager)
        daemon.wait_for_log("reload failed, keeping the previous settings")
        assert "log.level" in daemon.log_text()
        assert daemon.stop() == 0


def test_a_reload_connects_with_the_certificates_that_are_there_by_then_and_keeps_the_old_if_they_are_unusable(tmp_path, manager):
    certificates = make_certificates(tmp_path / "certificates")
    own = tmp_path / "own"
    own.mkdir()
    certificate, key = own / "cert.pem", own / "key.pem"

    def install(pair):
        shutil.copyfile(pair.certificate, certificate)
        shutil.copyfile(pair.key, key)

    install(certificates.client)
    with TlsProxy(certificates.server_context()) as proxy, TansuBroker(advertised=proxy.address) as broker:
        proxy.upstream = broker.bootstrap
        broker.create_topic(TOPIC)
        files = {"dfn_ca": str(certificates.ca), "dfn_cert": str(certificate), "dfn_key": str(key)}
        daemon = daemon_for(tmp_path, proxy.address, manager, dfn=files, kafka={"idempotence": False})
        with daemon:
            wait_ready(daemon, manager)
            key.write_text("damaged")
            reload(daemon, manager)
            daemon.wait_for_log("reload failed")
            append(daemon, windows_alert(1))
            daemon.wait_until(lambda: any("1 delivered" in text for text in manager.statuses()), what="delivery over the old connection")
            install(certificates.untrusted_client)
            reload(daemon, manager)
            append(daemon, windows_alert(2))
            daemon.wait_for_log("broker unavailable")
            assert "client certificate" in daemon.log_text()
            install(certificates.client)
            daemon.wait_until(lambda: any("2 delivered" in text for text in manager.statuses()), what="delivery with the right certificate")
            assert daemon.stop() == 0
        records = read_all(proxy.address, TOPIC, expect=2, ssl_context=certificates.client_context())
    assert sorted(set(arrived(records, "windows"))) == [1, 2]


def test_the_old_name_of_the_statistics_interval_takes_effect(tmp_path, broker):
    daemon = Daemon(tmp_path, broker.bootstrap, log={"interval": 1})
    daemon.alerts.touch()
    with daemon:
        daemon.wait_until(lambda: daemon.log_text().count("event=statistics") >= 2, what="two lines within seconds")
        assert daemon.stop() == 0
