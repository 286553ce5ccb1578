"""Every key of version 0.23: its default there, another value that it may have, its environment variable and its flag.

Whether a key still takes effect or is accepted with a warning does not stand here: the tests ask the model.
"""

from typing import Any, NamedTuple


class OldKey(NamedTuple):
    """`together` are keys that have to be set with this one."""

    key: str
    default: Any
    other: Any
    variable: str
    flag: str
    together: dict[str, Any] = {}  # noqa: RUF012 - never changed


_TABLE = [
    ("dfn.dfn_broker", "kafka.example.org:443", "[::1]:1", "DFN_BROKER_ADDRESS", "--dfn-broker-address"),
    ("dfn.dfn_cert", "/opt/wazuh-dfn/certs/dfn-cert.pem", "/c.pem", "DFN_CERT_PATH", "--dfn-cert-path", {"dfn.dfn_key": "/k.pem"}),
    ("dfn.dfn_key", "/opt/wazuh-dfn/certs/dfn-key.pem", "/k.pem", "DFN_KEY_PATH", "--dfn-key-path", {"dfn.dfn_cert": "/c.pem"}),
    ("dfn.dfn_ca", None, "/ca.pem", "DFN_CA_PATH", "--dfn-ca-path"),
    ("dfn.dfn_id", None, "another", "DFN_CUSTOMER_ID", "--dfn-customer-id"),
    ("wazuh.unix_socket_path", "/var/ossec/queue/sockets/queue", "/w.sock", "WAZUH_UNIX_SOCKET_PATH", "--wazuh-unix-socket-path"),
    ("wazuh.max_event_size", 65535, 7000, "WAZUH_MAX_EVENT_SIZE", "--wazuh-max-event-size"),
    ("wazuh.json_alert_file", "/var/ossec/logs/alerts/alerts.json", "/a.json", "WAZUH_JSON_ALERT_FILE", "--wazuh-json-alert-file"),
    ("wazuh.json_alert_prefix", '{"timestamp"', "{", "WAZUH_JSON_ALERT_PREFIX", "--wazuh-json-prefix"),
    ("wazuh.json_alert_suffix", "}", "}}", "WAZUH_JSON_ALERT_SUFFIX", "--wazuh-json-suffix"),
    ("wazuh.max_retries", 42, 7, "WAZUH_MAX_RETRIES", "--wazuh-max-retries"),
    ("wazuh.retry_interval", 5, 7, "WAZUH_RETRY_INTERVAL", "--wazuh-retry-interval"),
    (
        "wazuh.max_connection_failures_per_event",
        10,
        7,
        "WAZUH_MAX_CONNECTION_FAILURES_PER_EVENT",
        "--wazuh-max-connection-failures-per-event",
    ),
    (
        "wazuh.connection_failure_backoff_base",
        0.1,
        7.5,
        "WAZUH_CONNECTION_FAILURE_BACKOFF_BASE",
        "--wazuh-connection-failure-backoff-base",
    ),
    ("wazuh.max_retry_wait_time", 30, 7, "WAZUH_MAX_RETRY_WAIT_TIME", "--wazuh-max-retry-wait-time"),
    ("wazuh.max_connection_wait_attempts", 50, 7, "WAZUH_MAX_CONNECTION_WAIT_ATTEMPTS", "--wazuh-max-connection-wait-attempts"),
    ("wazuh.connection_wait_sleep_interval", 0.1, 7.5, "WAZUH_CONNECTION_WAIT_SLEEP_INTERVAL", "--wazuh-connection-wait-sleep-interval"),
    ("wazuh.connection_timeout", 30.0, 7.5, "WAZUH_CONNECTION_TIMEOUT", "--wazuh-connection-timeout"),
    ("wazuh.read_timeout", 10.0, 7.5, "WAZUH_READ_TIMEOUT", "--wazuh-read-timeout"),
    ("wazuh.write_timeout", 10.0, 7.5, "WAZUH_WRITE_TIMEOUT", "--wazuh-write-timeout"),
    ("wazuh.json_alert_file_poll_interval", 1.0, 0.5, "WAZUH_JSON_ALERT_FILE_POLL_INTERVAL", "--wazuh-json-alert-file-poll-interval"),
    ("wazuh.store_failed_alerts", False, True, "WAZUH_STORE_FAILED_ALERTS", "--wazuh-store-failed-alerts"),
    ("wazuh.failed_alerts_path", "/opt/wazuh-dfn/failed-alerts", "/failed", "WAZUH_FAILED_ALERTS_PATH", "--wazuh-failed-alerts-path"),
    ("wazuh.max_failed_files", 100, 7, "WAZUH_MAX_FAILED_FILES", "--wazuh-max-failed-files"),
    ("wazuh.json_alert_queue_size", 100000, 7, "WAZUH_JSON_ALERT_QUEUE_SIZE", "--wazuh-json-alert-queue-size"),
    ("wazuh.integration_name", "dfn", "soc", "WAZUH_INTEGRATION_NAME", "--wazuh-integration-name"),
    ("kafka.timeout", 60, 7, "KAFKA_TIMEOUT", "--kafka-timeout"),
    ("kafka.retry_interval", 5, 7, "KAFKA_RETRY_INTERVAL", "--kafka-retry-interval"),
    ("kafka.connection_max_retries", 5, 7, "KAFKA_CONNECTION_MAX_RETRIES", "--kafka-connection-max-retries"),
    ("kafka.send_max_retries", 5, 7, "KAFKA_SEND_MAX_RETRIES", "--kafka-send-max-retries"),
    ("kafka.max_wait_time", 60, 7, "KAFKA_MAX_WAIT_TIME", "--kafka-max-wait-time"),
    ("kafka.admin_timeout", 10, 7, "KAFKA_ADMIN_TIMEOUT", "--kafka-admin-timeout"),
    ("kafka.service_retry_interval", 5, 7, "KAFKA_SERVICE_RETRY_INTERVAL", "--kafka-service-retry-interval"),
    ("kafka.compression_type", "gzip", "zstd", "KAFKA_COMPRESSION_TYPE", "--kafka-compression-type"),
    (
        "kafka.producer_config",
        {"linger_ms": 5, "max_batch_size": 16384, "acks": 1, "max_request_size": 1048576},
        {"client_id": "me"},
        "KAFKA_PRODUCER_CONFIG",
        "--kafka-producer-config",
    ),
    ("log.console", True, False, "LOG_CONSOLE_ENABLED", "--log-console-enabled"),
    ("log.keep_files", 5, 7, "LOG_KEEP_FILES", "--log-keep-files"),
    ("log.interval", 600, 7, "LOG_INTERVAL", "--log-interval"),
    ("log.level", "INFO", "DEBUG", "LOG_LEVEL", "--log-level"),
    ("log.file_path", None, "/l.log", "LOG_FILE_PATH", "--log-file-path"),
    ("health.stats_interval", 600, 7, "HEALTH_STATS_INTERVAL", "--health-stats-interval"),
    ("health.history_retention", 3600, 700, "HEALTH_HISTORY_RETENTION", "--health-history-retention"),
    ("health.max_history_entries", 1000, 70, "HEALTH_MAX_HISTORY_ENTRIES", "--health-max-history-entries"),
    ("health.cache_ttl", 5, 7, "HEALTH_CACHE_TTL", "--health-cache-ttl"),
    ("health.event_queue_size", 100000, 7, "HEALTH_EVENT_QUEUE_SIZE", "--health-event-queue-size"),
    ("health.queue_warning_threshold", 70, 50, "HEALTH_QUEUE_WARNING_THRESHOLD", "--health-queue-warning-threshold"),
    ("health.queue_critical_threshold", 90, 95, "HEALTH_QUEUE_CRITICAL_THRESHOLD", "--health-queue-critical-threshold"),
    ("health.worker_stall_threshold", 60, 7, "HEALTH_WORKER_STALL_THRESHOLD", "--health-worker-stall-threshold"),
    ("health.kafka_slow_threshold", 1.0, 0.5, "HEALTH_KAFKA_SLOW_THRESHOLD", "--health-kafka-slow-threshold"),
    (
        "health.kafka_extremely_slow_threshold",
        5.0,
        9.5,
        "HEALTH_KAFKA_EXTREMELY_SLOW_THRESHOLD",
        "--health-kafka-extremely-slow-threshold",
    ),
    ("health.api.enabled", False, True, "HEALTH_HTTP_SERVER_ENABLED", "--health-api-enabled"),
    ("health.api.host", "127.0.0.1", "::1", "HEALTH_API_HOST", "--health-api-host"),
    ("health.api.port", 8080, 8443, "HEALTH_API_PORT", "--health-api-port"),
    ("health.api.auth_token", None, "hunter2hunter2hunter2hunter2hunter2", "HEALTH_API_AUTH_TOKEN", "--health-api-auth-token"),
    ("health.api.allowed_ips", ["127.0.0.1", "::1"], ["192.0.2.1", "2001:db8::/32"], "HEALTH_API_ALLOWED_IPS", "--health-api-allowed-ips"),
    ("health.api.rate_limit", 100, 7, "HEALTH_API_RATE_LIMIT", "--health-api-rate-limit"),
    ("health.api.rate_limit_window", 60, 7, "HEALTH_API_RATE_LIMIT_WINDOW", "--health-api-rate-limit-window"),
    (
        "health.api.https_enabled",
        False,
        True,
        "HEALTH_API_HTTPS_ENABLED",
        "--health-api-https-enabled",
        {"health.api.cert_file": "/api.pem", "health.api.key_file": "/api-key.pem"},
    ),
    ("health.api.cert_file", None, "/api.pem", "HEALTH_API_CERT_FILE", "--health-api-cert-file", {"health.api.key_file": "/api-key.pem"}),
    ("health.api.key_file", None, "/api-key.pem", "HEALTH_API_KEY_FILE", "--health-api-key-file", {"health.api.cert_file": "/api.pem"}),
    ("misc.num_workers", 10, 7, "MISC_NUM_WORKERS", "--misc-num-workers"),
    ("misc.own_network", None, "10.0.0.0/8", "MISC_OWN_NETWORK", "--misc-own-network"),
]

OLD_KEYS = [OldKey(*row) for row in _TABLE]
