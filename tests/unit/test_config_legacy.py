"""Files, variables and flags of version 0.23: every key takes effect, or is accepted with exactly one warning that names it."""

import json

import pytest
import tomlkit
from ruamel.yaml import YAML

from wazuh_dfn.config.keys import KNOWN_KEYS, SETTINGS_KEYS, dotted, flag_name, variable_name
from wazuh_dfn.config.legacy import LEGACY_KEYS
from wazuh_dfn.config.load import load_settings

OLD = [
    ("dfn.dfn_broker", "kafka.example.org:443", "DFN_BROKER_ADDRESS", "--dfn-broker-address"),
    ("dfn.dfn_cert", "/opt/wazuh-dfn/certs/dfn-cert.pem", "DFN_CERT_PATH", "--dfn-cert-path"),
    ("dfn.dfn_key", "/opt/wazuh-dfn/certs/dfn-key.pem", "DFN_KEY_PATH", "--dfn-key-path"),
    ("dfn.dfn_ca", None, "DFN_CA_PATH", "--dfn-ca-path"),
    ("dfn.dfn_id", None, "DFN_CUSTOMER_ID", "--dfn-customer-id"),
    ("wazuh.unix_socket_path", "/var/ossec/queue/sockets/queue", "WAZUH_UNIX_SOCKET_PATH", "--wazuh-unix-socket-path"),
    ("wazuh.max_event_size", 65535, "WAZUH_MAX_EVENT_SIZE", "--wazuh-max-event-size"),
    ("wazuh.json_alert_file", "/var/ossec/logs/alerts/alerts.json", "WAZUH_JSON_ALERT_FILE", "--wazuh-json-alert-file"),
    ("wazuh.json_alert_prefix", '{"timestamp"', "WAZUH_JSON_ALERT_PREFIX", "--wazuh-json-prefix"),
    ("wazuh.json_alert_suffix", "}", "WAZUH_JSON_ALERT_SUFFIX", "--wazuh-json-suffix"),
    ("wazuh.max_retries", 42, "WAZUH_MAX_RETRIES", "--wazuh-max-retries"),
    ("wazuh.retry_interval", 5, "WAZUH_RETRY_INTERVAL", "--wazuh-retry-interval"),
    ("wazuh.max_connection_failures_per_event", 10, "WAZUH_MAX_CONNECTION_FAILURES_PER_EVENT", "--wazuh-max-connection-failures-per-event"),
    ("wazuh.connection_failure_backoff_base", 0.1, "WAZUH_CONNECTION_FAILURE_BACKOFF_BASE", "--wazuh-connection-failure-backoff-base"),
    ("wazuh.max_retry_wait_time", 30, "WAZUH_MAX_RETRY_WAIT_TIME", "--wazuh-max-retry-wait-time"),
    ("wazuh.max_connection_wait_attempts", 50, "WAZUH_MAX_CONNECTION_WAIT_ATTEMPTS", "--wazuh-max-connection-wait-attempts"),
    ("wazuh.connection_wait_sleep_interval", 0.1, "WAZUH_CONNECTION_WAIT_SLEEP_INTERVAL", "--wazuh-connection-wait-sleep-interval"),
    ("wazuh.connection_timeout", 30.0, "WAZUH_CONNECTION_TIMEOUT", "--wazuh-connection-timeout"),
    ("wazuh.read_timeout", 10.0, "WAZUH_READ_TIMEOUT", "--wazuh-read-timeout"),
    ("wazuh.write_timeout", 10.0, "WAZUH_WRITE_TIMEOUT", "--wazuh-write-timeout"),
    ("wazuh.json_alert_file_poll_interval", 1.0, "WAZUH_JSON_ALERT_FILE_POLL_INTERVAL", "--wazuh-json-alert-file-poll-interval"),
    ("wazuh.store_failed_alerts", False, "WAZUH_STORE_FAILED_ALERTS", "--wazuh-store-failed-alerts"),
    ("wazuh.failed_alerts_path", "/opt/wazuh-dfn/failed-alerts", "WAZUH_FAILED_ALERTS_PATH", "--wazuh-failed-alerts-path"),
    ("wazuh.max_failed_files", 100, "WAZUH_MAX_FAILED_FILES", "--wazuh-max-failed-files"),
    ("wazuh.json_alert_queue_size", 100000, "WAZUH_JSON_ALERT_QUEUE_SIZE", "--wazuh-json-alert-queue-size"),
    ("wazuh.integration_name", "dfn", "WAZUH_INTEGRATION_NAME", "--wazuh-integration-name"),
    ("kafka.timeout", 60, "KAFKA_TIMEOUT", "--kafka-timeout"),
    ("kafka.retry_interval", 5, "KAFKA_RETRY_INTERVAL", "--kafka-retry-interval"),
    ("kafka.connection_max_retries", 5, "KAFKA_CONNECTION_MAX_RETRIES", "--kafka-connection-max-retries"),
    ("kafka.send_max_retries", 5, "KAFKA_SEND_MAX_RETRIES", "--kafka-send-max-retries"),
    ("kafka.max_wait_time", 60, "KAFKA_MAX_WAIT_TIME", "--kafka-max-wait-time"),
    ("kafka.admin_timeout", 10, "KAFKA_ADMIN_TIMEOUT", "--kafka-admin-timeout"),
    ("kafka.service_retry_interval", 5, "KAFKA_SERVICE_RETRY_INTERVAL", "--kafka-service-retry-interval"),
    ("kafka.compression_type", "gzip", "KAFKA_COMPRESSION_TYPE", "--kafka-compression-type"),
    (
        "kafka.producer_config",
        {"linger_ms": 5, "max_batch_size": 16384, "acks": 1, "max_request_size": 1048576},
        "KAFKA_PRODUCER_CONFIG",
        "--kafka-producer-config",
    ),
    ("log.console", True, "LOG_CONSOLE_ENABLED", "--log-console-enabled"),
    ("log.keep_files", 5, "LOG_KEEP_FILES", "--log-keep-files"),
    ("log.interval", 600, "LOG_INTERVAL", "--log-interval"),
    ("log.level", "INFO", "LOG_LEVEL", "--log-level"),
    ("log.file_path", None, "LOG_FILE_PATH", "--log-file-path"),
    ("health.stats_interval", 600, "HEALTH_STATS_INTERVAL", "--health-stats-interval"),
    ("health.history_retention", 3600, "HEALTH_HISTORY_RETENTION", "--health-history-retention"),
    ("health.max_history_entries", 1000, "HEALTH_MAX_HISTORY_ENTRIES", "--health-max-history-entries"),
    ("health.cache_ttl", 5, "HEALTH_CACHE_TTL", "--health-cache-ttl"),
    ("health.event_queue_size", 100000, "HEALTH_EVENT_QUEUE_SIZE", "--health-event-queue-size"),
    ("health.queue_warning_threshold", 70, "HEALTH_QUEUE_WARNING_THRESHOLD", "--health-queue-warning-threshold"),
    ("health.queue_critical_threshold", 90, "HEALTH_QUEUE_CRITICAL_THRESHOLD", "--health-queue-critical-threshold"),
    ("health.worker_stall_threshold", 60, "HEALTH_WORKER_STALL_THRESHOLD", "--health-worker-stall-threshold"),
    ("health.kafka_slow_threshold", 1.0, "HEALTH_KAFKA_SLOW_THRESHOLD", "--health-kafka-slow-threshold"),
    ("health.kafka_extremely_slow_threshold", 5.0, "HEALTH_KAFKA_EXTREMELY_SLOW_THRESHOLD", "--health-kafka-extremely-slow-threshold"),
    ("health.api.enabled", False, "HEALTH_HTTP_SERVER_ENABLED", "--health-api-enabled"),
    ("health.api.host", "127.0.0.1", "HEALTH_API_HOST", "--health-api-host"),
    ("health.api.port", 8080, "HEALTH_API_PORT", "--health-api-port"),
    ("health.api.auth_token", None, "HEALTH_API_AUTH_TOKEN", "--health-api-auth-token"),
    ("health.api.allowed_ips", ["127.0.0.1", "::1"], "HEALTH_API_ALLOWED_IPS", "--health-api-allowed-ips"),
    ("health.api.rate_limit", 100, "HEALTH_API_RATE_LIMIT", "--health-api-rate-limit"),
    ("health.api.rate_limit_window", 60, "HEALTH_API_RATE_LIMIT_WINDOW", "--health-api-rate-limit-window"),
    ("health.api.https_enabled", False, "HEALTH_API_HTTPS_ENABLED", "--health-api-https-enabled"),
    ("health.api.cert_file", None, "HEALTH_API_CERT_FILE", "--health-api-cert-file"),
    ("health.api.key_file", None, "HEALTH_API_KEY_FILE", "--health-api-key-file"),
    ("misc.num_workers", 10, "MISC_NUM_WORKERS", "--misc-num-workers"),
    ("misc.own_network", None, "MISC_OWN_NETWORK", "--misc-own-network"),
]
"""Key, default, environment variable and flag of version 0.23."""

DEFAULTS = {key: default for key, default, _, _ in OLD}
SAMPLES = {
    "dfn.dfn_broker": "[::1]:1",
    "dfn.dfn_cert": "/c.pem",
    "dfn.dfn_key": "/k.pem",
    "dfn.dfn_ca": "/ca.pem",
    "dfn.dfn_id": "another",
    "wazuh.json_alert_file": "/a.json",
    "wazuh.json_alert_file_poll_interval": 0.5,
    "wazuh.failed_alerts_path": "/failed",
    "wazuh.max_failed_files": 7,
    "kafka.timeout": 7,
    "kafka.retry_interval": 7,
    "kafka.compression_type": "zstd",
    "log.console": False,
    "log.keep_files": 7,
    "log.level": "debug",
    "log.file_path": "/l.log",
    "health.stats_interval": 7,
    "misc.own_network": "10.0.0.0/8",
}
EFFECTIVE = {*SAMPLES, "kafka.producer_config"}
UNDERSTOOD = {"log.level": "DEBUG", "misc.own_network": ("10.0.0.0/8",)}
BASE = {"dfn.dfn_id": "customer-1", "dfn.dfn_broker": "localhost:9092"}


def tables(values):
    """Nest `section.key` and leave out None, which TOML has not."""
    nested = {}
    for name, value in values.items():
        *sections, key = name.split(".")
        table = nested
        for section in sections:
            table = table.setdefault(section, {})
        if value is not None:
            table[key] = value
    return nested


def write(folder, values, name):
    path = folder / name
    with path.open("w", encoding="utf-8") as file:
        if name.endswith("toml"):
            tomlkit.dump(tables(values), file)
        else:
            YAML().dump(tables(values), file)
    return path


def as_variable(value):
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(value) if isinstance(value, list) else str(value)


def load_from(source, folder, values, base):
    """Load `values` from a file, the environment or flags, and `base` from flags."""
    if source == "variable":
        return load_settings(
            None, environ={variable_name(tuple(key.split("."))): as_variable(value) for key, value in values.items()}, overrides=base
        )
    if source == "flag":
        return load_settings(None, environ={}, overrides={**base, **values})
    return load_settings(write(folder, values, source), environ={}, overrides=base)


def load_flags(**flags):
    return load_settings(None, environ={}, overrides={**BASE, **{name.replace("__", "."): value for name, value in flags.items()}})


def test_the_table_above_is_all_that_is_known_of_old():
    assert set(DEFAULTS) - EFFECTIVE == {dotted(key) for key in LEGACY_KEYS}
    assert {dotted(key) for key in SETTINGS_KEYS} >= EFFECTIVE


@pytest.mark.parametrize(("key", "variable", "flag"), [(key, variable, flag) for key, _, variable, flag in OLD])
def test_variables_and_flags_have_their_old_names(key, variable, flag):
    path = tuple(key.split("."))
    assert path in KNOWN_KEYS
    assert variable_name(path) == variable
    assert flag_name(path) == flag


@pytest.mark.parametrize("name", ["old.toml", "old.yaml"])
def test_an_old_file_with_every_key_at_its_old_default_starts(tmp_path, name):
    loaded = load_settings(write(tmp_path, {**DEFAULTS, "dfn.dfn_id": "customer-1"}, name), environ={})
    assert str(loaded.settings.dfn.dfn_cert) == "/opt/wazuh-dfn/certs/dfn-cert.pem"
    assert loaded.settings.uses_tls
    assert loaded.settings.wazuh.max_failed_files == 100
    named = [key for key in DEFAULTS if any(f": {key} " in warning for warning in loaded.warnings)]
    options = [warning for warning in loaded.warnings if ": kafka.producer_config." in warning]
    assert set(named) == {key for key, value in DEFAULTS.items() if value is not None} - EFFECTIVE
    assert len(options) == 2
    assert len(loaded.warnings) == len(named) + len(options)


def test_an_old_environment_with_every_variable_at_its_old_default_starts():
    environ = {variable: as_variable(default) for _, default, variable, _ in OLD if default is not None}
    loaded = load_settings(None, environ={**environ, "DFN_CUSTOMER_ID": "customer-1"})
    assert loaded.settings.kafka.producer_config.given() == {}
    assert loaded.settings.log.console is True


@pytest.mark.parametrize("key", sorted(set(DEFAULTS) - EFFECTIVE))
@pytest.mark.parametrize("source", ["old.toml", "old.yaml", "variable", "flag"])
def test_a_key_without_use_gives_exactly_one_warning_that_names_it_and_what_to_use(tmp_path, key, source):
    value = DEFAULTS[key] if DEFAULTS[key] is not None else "hunter2"
    (warning,) = load_from(source, tmp_path, {key: value}, BASE).warnings
    assert f": {key} " in warning
    assert "; " in warning
    assert "hunter2" not in warning


def test_a_key_without_use_in_file_and_variable_gives_one_warning_still(tmp_path):
    path = write(tmp_path, {"misc.num_workers": 1}, "c.toml")
    assert len(load_settings(path, environ={"MISC_NUM_WORKERS": "2"}, overrides=BASE).warnings) == 1


@pytest.mark.parametrize("key", sorted(SAMPLES))
@pytest.mark.parametrize("source", ["old.toml", "old.yaml", "variable", "flag"])
def test_every_other_key_takes_effect_from_every_source(tmp_path, key, source):
    pair = {"dfn.dfn_cert": "/c.pem", "dfn.dfn_key": "/k.pem"} if key in {"dfn.dfn_cert", "dfn.dfn_key"} else {}
    base = {name: value for name, value in {**BASE, **pair}.items() if name != key}
    loaded = load_from(source, tmp_path, {key: SAMPLES[key]}, base)
    section, name = key.split(".")
    found = getattr(getattr(loaded.settings, section), name)
    assert UNDERSTOOD.get(key, SAMPLES[key]) in {found, str(found)}
    assert not [warning for warning in loaded.warnings if "dfn.dfn_cert: without" not in warning]


def test_the_old_statistics_interval_takes_effect_where_the_new_one_is_not_set():
    loaded = load_flags(log__interval=30)
    assert loaded.settings.health.stats_interval == 30
    assert loaded.warnings == ("flag --log-interval: log.interval is the old name of health.stats_interval; use that one",)
    assert load_flags(log__interval=30, health__stats_interval=40).settings.health.stats_interval == 40


def test_producer_options_that_are_keys_by_now_take_effect():
    options = {
        "linger_ms": 7,
        "max_request_size": 500_000,
        "enable_idempotence": False,
        "acks": "all",
        "retry_backoff_ms": 9,
        "client_id": "me",
    }
    loaded = load_flags(kafka__producer_config=options)
    kafka = loaded.settings.kafka
    assert (kafka.linger_ms, kafka.max_request_size, kafka.max_batch_bytes, kafka.idempotence) == (7, 500_000, 500_000, False)
    assert kafka.producer_config.given() == {"client_id": "me", "retry_backoff_ms": 9}
    assert loaded.warnings == ()


def test_a_key_of_its_own_wins_over_the_producer_option():
    loaded = load_flags(kafka__producer_config={"linger_ms": 7}, kafka__linger_ms=8)
    assert loaded.settings.kafka.linger_ms == 8
    assert "kafka.producer_config.linger_ms has no effect: kafka.linger_ms is set too and wins" in loaded.warnings[0]


@pytest.mark.parametrize("acks", [0, 1, "1"])
def test_fewer_acknowledgements_are_not_to_be_had(acks):
    (warning,) = load_flags(kafka__producer_config={"acks": acks}).warnings
    assert "kafka.producer_config.acks has no effect: acks is all" in warning


def test_the_old_batch_size_makes_no_small_batches():
    loaded = load_flags(kafka__producer_config={"max_batch_size": 16384})
    assert loaded.settings.kafka.max_batch_bytes == 950_000
    assert "kafka.max_batch_bytes" in loaded.warnings[0]


def test_producer_options_from_a_variable_are_json():
    loaded = load_settings(None, environ={"KAFKA_PRODUCER_CONFIG": '{"linger_ms": 7}'}, overrides=BASE)
    assert loaded.settings.kafka.linger_ms == 7
