"""Loading: defaults, precedence, what each key understands, and what is needed to run."""

import re
from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from wazuh_dfn.config.event_ids import DEFAULT_EVENT_IDS
from wazuh_dfn.config.loading import load_settings
from wazuh_dfn.config.paths import check_paths
from wazuh_dfn.config.setting_types import allowed
from wazuh_dfn.config.settings import FIELDS, Settings
from wazuh_dfn.errors import ConfigurationError

LOCAL = {"dfn.dfn_id": "customer-1", "dfn.dfn_broker": "127.0.0.1:9092"}


def write(folder, text, name="wazuh-dfn.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(path=None, environ=None, **settings):
    return load_settings(
        path, environ=environ or {}, overrides={**LOCAL, **{name.replace("__", "."): value for name, value in settings.items()}}
    )


def wrong(path=None, environ=None, **settings):
    with pytest.raises(ConfigurationError) as caught:
        load(path, environ, **settings)
    return str(caught.value)


def test_without_any_source_the_defaults_hold():
    loaded = load_settings(None, environ={}, to_run=False)
    assert loaded.settings == Settings()
    assert loaded.warnings == ()
    assert loaded.settings.wazuh.max_failed_files == 10_000
    assert loaded.settings.kafka.max_batch_bytes == 950_000
    assert loaded.settings.wazuh.start_at == "end"
    assert loaded.settings.dfn.dfn_cert is None


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings().kafka.timeout = 1


@pytest.mark.parametrize("name", ["wazuh-dfn.toml", "wazuh-dfn.yaml", "wazuh-dfn.yml"])
def test_the_ending_tells_the_format(tmp_path, name):
    text = "[kafka]\ntimeout = 7\n" if name.endswith("toml") else "kafka:\n  timeout: 7\nmisc:\n"
    assert load(write(tmp_path, text, name)).settings.kafka.timeout == 7


def test_a_given_format_wins_over_the_ending(tmp_path):
    path = write(tmp_path, "kafka:\n  timeout: 7\n", "settings.toml")
    assert load_settings(path, file_format="yaml", environ={}, overrides=LOCAL).settings.kafka.timeout == 7


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(tmp_path):
    path = write(tmp_path, "[kafka]\ntimeout = 10\nretry_interval = 11\nmax_batch_bytes = 1234\n")
    environ = {"KAFKA_TIMEOUT": "20", "KAFKA_RETRY_INTERVAL": "21"}
    kafka = load(path, environ, kafka__timeout=30).settings.kafka
    assert (kafka.timeout, kafka.retry_interval, kafka.max_batch_bytes, kafka.slow_retry_interval) == (30, 21, 1234, 60)


def test_where_file_and_variable_disagree_one_warning_says_which_won(tmp_path):
    path = write(tmp_path, "[kafka]\ntimeout = 10\nretry_interval = 11\n")
    loaded = load(path, {"KAFKA_TIMEOUT": "20", "KAFKA_RETRY_INTERVAL": "11.0"})
    assert loaded.warnings == (f"kafka.timeout: environment variable KAFKA_TIMEOUT ('20') wins over {path}:2 (10)",)


def test_where_a_flag_wins_over_both_the_warning_says_so(tmp_path):
    path = write(tmp_path, "[kafka]\ntimeout = 10\n")
    (warning,) = load(path, {"KAFKA_TIMEOUT": "20"}, kafka__timeout=30).warnings
    assert warning == f"kafka.timeout: flag --kafka-timeout (30) wins over {path}:2 (10) and environment variable KAFKA_TIMEOUT"


def test_flags_and_variables_that_are_not_given_change_nothing(tmp_path):
    path = write(tmp_path, "[kafka]\ntimeout = 10\n")
    assert load(path, {"KAFKA_TIMEOUT": " "}, kafka__timeout=None).settings.kafka.timeout == 10


def test_null_in_yaml_is_not_given(tmp_path):
    path = write(tmp_path, "dfn:\n  dfn_cert: null\nkafka:\n  timeout:\nhealth:\n  api:\n", "c.yaml")
    assert load(path).settings.kafka.timeout == 60


def test_an_empty_text_is_not_given_where_none_is_allowed(tmp_path):
    path = write(tmp_path, '[dfn]\ndfn_ca = ""\n[log]\nfile_path = ""\n[misc]\nown_network = ""\n')
    settings = load(path).settings
    assert (settings.dfn.dfn_ca, settings.log.file_path, settings.misc.own_networks) == (None, None, ())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, "4624", "04625"], {"1", "4624", "4625"}),
        ("4624, 4625", {"4624", "4625"}),
        (["+9999", "-1100"], (DEFAULT_EVENT_IDS | {"9999"}) - {"1100"}),
        ([-1100], DEFAULT_EVENT_IDS - {"1100"}),
        ("+9999", DEFAULT_EVENT_IDS | {"9999"}),
        (None, DEFAULT_EVENT_IDS),
    ],
)
def test_event_ids_with_signs_change_the_default_and_those_without_replace_it(given, expected):
    assert load(wazuh__windows_event_ids=given).settings.wazuh.event_ids == frozenset(expected)


@pytest.mark.parametrize(
    ("name", "text"), [("c.toml", "[wazuh]\nwindows_event_ids = [+9999, -1100]"), ("c.yaml", "wazuh:\n  windows_event_ids: [+9999, -1100]")]
)
def test_a_plus_sign_counts_without_quotes_too(tmp_path, name, text):
    assert load(write(tmp_path, text, name)).settings.wazuh.event_ids == (DEFAULT_EVENT_IDS | {"9999"}) - {"1100"}


@pytest.mark.parametrize("given", [["+1", "2"], [], [True], ["x"], [70000], [["1"]], {"1": 2}, 4624])
def test_event_ids_that_mix_signs_or_are_none_are_refused(given):
    assert "wazuh.windows_event_ids = " in wrong(wazuh__windows_event_ids=given)


@pytest.mark.parametrize("given", ["10.1.2.3/8, 2001:db8::1/32", ["10.0.0.0/8", "2001:db8::/32"]])
def test_own_networks_are_v4_or_v6_with_host_bits_ignored(given):
    assert load(misc__own_network=given).settings.misc.own_networks == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def test_several_brokers_may_be_named():
    brokers = load(dfn__dfn_broker="[::1]:9092, localhost:9093,127.1.2.3:1").settings.dfn.brokers
    assert [(broker.host, broker.port) for broker in brokers] == [("::1", 9092), ("localhost", 9093), ("127.1.2.3", 1)]
    assert load(dfn__dfn_broker=["[::1]:9092", "localhost:9093"]).settings.dfn.dfn_broker == "[::1]:9092,localhost:9093"


@pytest.mark.parametrize(
    "broker", ["kafka", "kafka:", "kafka:0", "kafka:65536", "::1:9092", "[x]:1", ":1", "ssl://kafka:1", "a b:1", ",", "", "-k:1"]
)
def test_a_broker_needs_host_and_port(broker):
    assert f"dfn.dfn_broker = {broker!r}: " in wrong(dfn__dfn_broker=broker)


@pytest.mark.parametrize("topic", ["a", "A.b_c-9", "x" * 249])
def test_a_customer_id_is_a_topic(topic):
    assert load(dfn__dfn_id=topic).settings.dfn.dfn_id == topic


@pytest.mark.parametrize("topic", [".", "..", "a b", "ä", "a/b", "x" * 250, "a\n"])
def test_a_customer_id_that_is_no_topic_is_refused(topic):
    assert "can't be the name of a Kafka topic; allowed: 1 to 249" in wrong(dfn__dfn_id=topic)


def test_a_batch_is_never_larger_than_a_request():
    assert load(kafka__max_request_size=500_000).settings.kafka.max_batch_bytes == 500_000
    assert "lower the first" in wrong(kafka__max_request_size=500_000, kafka__max_batch_bytes=500_001)


@pytest.mark.parametrize("broker", ["localhost:1", "LOCALHOST:1", "127.0.0.1:1", "127.200.0.1:1", "[::1]:1", "localhost:1,[::1]:2"])
def test_loopback_needs_no_tls(broker):
    loaded = load(dfn__dfn_broker=broker)
    assert loaded.settings.uses_tls is False
    assert loaded.settings.plaintext_reason == "every broker is on this machine (loopback)"
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    "broker",
    ["kafka.example.org:1", "192.0.2.1:1", "[2001:db8::1]:1", "localhost.example.org:1", "127.1:1", "0.0.0.0:1", "localhost:1,kafka:2"],
)
class TestAnotherMachine:
    def test_is_refused_without_tls(self, broker):
        text = wrong(dfn__dfn_broker=broker)
        assert "would travel unencrypted" in text
        assert len(text.splitlines()) == 1

    def test_is_allowed_without_tls_when_that_is_said(self, broker):
        loaded = load(dfn__dfn_broker=broker, kafka__security_protocol="plaintext")
        assert loaded.settings.plaintext_reason == 'kafka.security_protocol = "PLAINTEXT"'
        assert [warning for warning in loaded.warnings if "unencrypted" in warning] == list(loaded.warnings) != []

    def test_is_reached_with_tls_when_certificates_are_named(self, broker):
        loaded = load(dfn__dfn_broker=broker, dfn__dfn_cert="/c.pem", dfn__dfn_key="/k.pem")
        assert loaded.settings.uses_tls
        assert loaded.settings.plaintext_reason is None
        assert loaded.warnings == ()

    def test_is_reached_with_tls_when_that_is_said_with_a_caution_about_the_certificate(self, broker):
        loaded = load(dfn__dfn_broker=broker, kafka__security_protocol="SSL")
        assert loaded.settings.uses_tls
        assert "dfn.dfn_cert" in loaded.warnings[0]


def test_certificates_that_plaintext_leaves_unused_are_worth_a_warning():
    loaded = load(dfn__dfn_cert="/c.pem", dfn__dfn_key="/k.pem", kafka__security_protocol="PLAINTEXT")
    assert not loaded.settings.uses_tls
    assert "certificates of [dfn] are not used" in loaded.warnings[0]


def test_certificates_mean_tls_on_loopback_too():
    assert load(dfn__dfn_ca="/ca.pem").settings.uses_tls


def test_topic_and_tls_are_not_asked_for_when_nothing_is_to_be_delivered():
    assert load_settings(None, environ={}, to_run=False).settings.dfn.dfn_id is None


def test_check_paths_names_every_path_that_can_not_be_used(tmp_path):
    blocking = write(tmp_path, "", "file")
    settings = load(
        dfn__dfn_cert=tmp_path / "c.pem",
        dfn__dfn_key=tmp_path,
        dfn__dfn_ca=tmp_path / "ca.pem",
        wazuh__checkpoint_file=blocking / "state" / "checkpoint.json",
        wazuh__failed_alerts_path=blocking,
    ).settings
    with pytest.raises(ConfigurationError) as caught:
        check_paths(settings)
    names = [re.match(r"[a-z]+\.[a-z_]+", line)[0] for line in str(caught.value).splitlines()]
    assert names == ["dfn.dfn_cert", "dfn.dfn_key", "dfn.dfn_ca", "wazuh.checkpoint_file", "wazuh.failed_alerts_path"]


def test_check_paths_refuses_folders_that_it_may_not_write(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ConfigurationError, match="can't be made in"):
        check_paths(load(wazuh__checkpoint_file=tmp_path / "a" / "b.json", wazuh__failed_alerts_path=tmp_path).settings)


def test_check_paths_is_content_with_folders_that_can_be_made_and_makes_none(tmp_path):
    pem = write(tmp_path, "", "c.pem")
    check_paths(
        load(
            dfn__dfn_cert=pem,
            dfn__dfn_key=pem,
            wazuh__checkpoint_file=tmp_path / "a" / "b" / "checkpoint.json",
            wazuh__failed_alerts_path=tmp_path / "c" / "d",
        ).settings
    )
    assert [path.name for path in tmp_path.iterdir()] == ["c.pem"]


@pytest.mark.parametrize("given", [["127.0.0.1", 1514], ("127.0.0.1", 1514), '["127.0.0.1", 1514]'])
def test_the_queue_socket_can_be_a_host_and_a_port(given):
    assert load(wazuh__unix_socket_path=given).settings.wazuh.unix_socket_path == ("127.0.0.1", 1514)


def test_a_host_and_a_port_for_the_queue_socket_from_a_file(tmp_path):
    path = write(tmp_path, '[wazuh]\nunix_socket_path = ["::1", 1514]\n')
    assert load(path).settings.wazuh.unix_socket_path == ("::1", 1514)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["127.0.0.1"], "this is no host with a port"),
        ([1514, "127.0.0.1"], "this is no host with a port"),
        (["127.0.0.1", "1514"], "the second entry is no port"),
        (["127.0.0.1", 65_536], "the second entry is no port"),
        (["127.0.0.1", True], "the second entry is no port"),
        ('["127.0.0.1",', "this looks like a list, and is no JSON"),
        ("", "the path is empty; feedback is turned off with wazuh.feedback = false"),
        ("a\nb", "this is no path"),
        (17, "this is no path; write it in quotes"),
    ],
)
def test_what_is_no_address_of_the_queue_socket_is_refused_in_one_line(given, reason):
    (line,) = wrong(wazuh__unix_socket_path=given).splitlines()
    assert f": {reason}; allowed: path of a socket, or a host and a port for TCP" in line


@pytest.mark.parametrize("name", ["", " ", "a:b", "a\nb"])
def test_a_name_that_would_break_the_feedback_is_refused(name):
    assert "allowed: a text without colons and line breaks" in wrong(wazuh__integration_name=name)


def test_every_key_is_described_and_says_what_is_allowed():
    for key, field in FIELDS.items():
        assert field.description, key
        assert allowed(field), key


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (("kafka", "timeout"), "seconds, 1 to 3600"),
        (("kafka", "retry_interval"), "seconds, more than 0, at most 3600"),
        (("health", "queue_warning_threshold"), "percent, more than 0, at most 100"),
        (("wazuh", "max_failed_bytes"), "bytes, 134217728 to 1099511627776"),
        (("log", "keep_files"), "a number from 0 to 1000"),
        (("log", "console"), "true or false"),
        (("kafka", "sasl_mechanism"), "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
        (("kafka", "producer_config"), "client_id, metadata_max_age_ms, retry_backoff_ms, connections_max_idle_ms"),
    ],
)
def test_what_is_allowed_comes_from_what_is_checked(key, text):
    assert allowed(FIELDS[key]) == text
