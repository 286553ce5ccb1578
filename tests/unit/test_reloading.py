"""What SIGHUP changes while the daemon runs, and what has to wait for a restart."""

from wazuh_dfn.config.settings import Settings
from wazuh_dfn.daemon.reloading import reloaded

LEVEL, TIMEOUT, CA = ("log", "level"), ("kafka", "timeout"), ("dfn", "dfn_ca")


def test_what_can_change_changes_and_the_rest_stays():
    found = reloaded(Settings(), Settings.of({LEVEL: "DEBUG", TIMEOUT: 7}))
    assert (found.settings.log.level, found.settings.kafka.timeout) == ("DEBUG", 60)
    assert (found.changed, found.need_restart) == ((LEVEL,), (TIMEOUT,))


def test_certificates_change_where_tls_is_used_already():
    found = reloaded(Settings.of({CA: "/a.pem"}), Settings.of({CA: "/b.pem"}))
    assert str(found.settings.dfn.dfn_ca) == "/b.pem"
    assert (found.changed, found.need_restart) == ((CA,), ())


def test_tls_is_not_turned_on_while_the_daemon_runs():
    found = reloaded(Settings(), Settings.of({CA: "/b.pem", LEVEL: "DEBUG"}))
    assert not found.settings.uses_tls
    assert (found.changed, found.need_restart) == ((LEVEL,), (CA,))
