"""Findings: each kind, where it stands, what is allowed, all at once, and no secrets."""

import pytest

from wazuh_dfn.config.loading import load_settings
from wazuh_dfn.config.paths import check_paths
from wazuh_dfn.config.presentation import effective, effective_text
from wazuh_dfn.errors import ConfigurationError

BASE = {"DFN_CUSTOMER_ID": "customer-1", "DFN_BROKER_ADDRESS": "localhost:9092"}


def findings(folder, text, name="c.toml", environ=BASE, overrides=None):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, environ=environ, overrides=overrides or {})
    return str(caught.value).replace(str(path), "FILE").splitlines()


def load_text(folder, text, overrides=None):
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ=BASE, overrides=overrides or {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[kafka]\n\ntimeout = -1", "FILE:3: kafka.timeout = -1: this is too small; allowed: seconds, 1 to 3600"),
        ("[kafka]\ntimeout = 1e9", "FILE:2: kafka.timeout = 1000000000.0: this is too large; allowed: seconds, 1 to 3600"),
        ("[kafka]\ntimeout = nan", "FILE:2: kafka.timeout = nan: this is no number; allowed: seconds, 1 to 3600"),
        ('[kafka]\ntimeout = "soon"', "FILE:2: kafka.timeout = 'soon': this is no number; allowed: seconds, 1 to 3600"),
        ("[kafka]\ntimeout = true", "FILE:2: kafka.timeout = true: this must be a number; allowed: seconds, 1 to 3600"),
        ("[log]\nkeep_files = 1.5", "FILE:2: log.keep_files = 1.5: this is no whole number; allowed: a number from 0 to 1000"),
        ("[log]\nconsole = 5", "FILE:2: log.console = 5: this is neither true nor false; allowed: true or false"),
        ('[log]\nlevel = "LOUD"', "FILE:2: log.level = 'LOUD': there is no such choice; allowed: DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("[log]\nfile_path = 5", "FILE:2: log.file_path = 5: this is no path; write it in quotes; allowed: path of a file"),
        ('[wazuh]\njson_alert_file = ""', "FILE:2: wazuh.json_alert_file = '': the path is empty; allowed: path of a file"),
        ("[misc]\nown_network = 5", "FILE:2: misc.own_network = 5: this is no list; allowed: IPv4 or IPv6 networks"),
        (
            '[misc]\nown_network = "x"',
            "FILE:2: misc.own_network = 'x': 'x' is neither an address nor a network; allowed: IPv4 or IPv6 networks",
        ),
        ("[kafka]\nproducer_config = 5", "FILE:2: kafka.producer_config = ***: this is no table; allowed: client_id, "),
        (
            "[kafka.producer_config]\nretry_backoff_ms = 0",
            "FILE:2: kafka.producer_config.retry_backoff_ms = 0: this is too small; allowed: milliseconds, 1 to",
        ),
        (
            "[kafka.producer_config]\nacks_ = 0",
            "FILE:2: kafka.producer_config.acks_: this option is not passed on; allowed: client_id, metadata_max_age_ms,",
        ),
        ("[kafka]\ntime_out = 1", "FILE:2: kafka.time_out: unknown key; did you mean kafka.timeout?"),
        ("[log]\nown_network = 1", "FILE:2: log.own_network: unknown key; did you mean misc.own_network?"),
        (
            '[health.api]\nallowed_ips = "10.0.0.0/8, x"',
            "FILE:2: health.api.allowed_ips = '10.0.0.0/8, x': 'x' is neither an address nor a network",
        ),
        ("[health.api]\nport = 0", "FILE:2: health.api.port = 0: this is too small; allowed: a number from 1 to 65535"),
        (
            '[health.api]\nhost = "mü..x"',
            "FILE:2: health.api.host = 'mü..x': this is no address to listen on; allowed: an address or a name",
        ),
        ('[health.api]\nhost = ""', "FILE:2: health.api.host = '': this is no address to listen on; allowed: an address or a name"),
        (
            '[health.api]\nauth_token = "a b"',
            "FILE:2: health.api.auth_token = ***: a token is sent in a header, where it can't stand like this",
        ),
        (
            "[health.api]\nhttps_enabled = true\ncert_file = '/c'",
            "FILE:2: health.api.https_enabled = true: there is no HTTPS without health.api.cert_file and health.api.key_file; set both",
        ),
        ("[health]\nqueue_warning_threshold = 101", "FILE:2: health.queue_warning_threshold = 101: this is too large; allowed: percent"),
        ("[health.api]\nprot = 1", "FILE:2: health.api.prot: unknown key; did you mean health.api.port?"),
        ("[kafak]\ntimeout = 1", "FILE:1: kafak: unknown section; did you mean kafka?"),
        ("timeout = 1", "FILE:1: timeout: unknown section; did you mean kafka.timeout?"),
        ("kafka = 5", "FILE:1: kafka: this must be a section; write [kafka] with keys below it"),
        ('[dfn]\ndfn_cert = "/c"', "FILE:2: dfn.dfn_cert = '/c': a certificate without its key; set dfn.dfn_key too"),
        ('[dfn]\ndfn_key = "/k"', "FILE:2: dfn.dfn_key = '/k': a key without its certificate; set dfn.dfn_cert too"),
        (
            "[supervisor]\nbackoff_max = 0.05",
            "FILE:2: supervisor.backoff_max = 0.05: backoff_initial (0.1 s) is more than backoff_max (0.05 s); lower",
        ),
        (
            "[kafka]\nmax_batch_bytes = 16777217",
            "FILE:2: kafka.max_batch_bytes = 16777217: max_batch_bytes (16777217) is more than max_request_size (16777216)",
        ),
    ],
)
def test_a_finding_names_file_line_key_value_and_what_is_allowed(tmp_path, text, expected):
    (finding,) = findings(tmp_path, text)
    assert finding.startswith(expected)


def test_a_customer_id_written_as_a_number_is_to_be_quoted(tmp_path):
    (finding,) = findings(tmp_path, "dfn:\n  dfn_id: 12345\n", "c.yaml", {"DFN_BROKER_ADDRESS": "localhost:1"})
    assert finding.startswith("FILE:2: dfn.dfn_id = 12345: this is no text; write it in quotes; allowed: 1 to 249 of")


def test_a_value_from_the_environment_names_its_variable(tmp_path):
    (finding,) = findings(tmp_path, "", environ={**BASE, "KAFKA_TIMEOUT": "-1"})
    assert finding.startswith("environment variable KAFKA_TIMEOUT: kafka.timeout = '-1': this is too small; allowed: ")


def test_a_value_from_a_flag_names_the_flag(tmp_path):
    (finding,) = findings(tmp_path, "", overrides={"kafka.timeout": -1})
    assert finding.startswith("flag --kafka-timeout: kafka.timeout = -1: ")


def test_an_override_of_no_key_is_an_error(tmp_path):
    assert findings(tmp_path, "", overrides={"kafka.time_out": 1}) == [
        "command line: kafka.time_out: unknown key; did you mean kafka.timeout?"
    ]


def test_a_value_in_place_of_a_section_is_refused_although_a_variable_sets_a_key_of_that_section(tmp_path):
    (finding,) = findings(tmp_path, "kafka = 5", environ={**BASE, "KAFKA_TIMEOUT": "7"})
    assert finding.startswith("FILE:1: kafka: this must be a section; ")


def test_json_that_is_none_names_its_variable(tmp_path):
    (finding,) = findings(tmp_path, "", environ={**BASE, "KAFKA_PRODUCER_CONFIG": "{x"})
    assert finding.startswith(
        "environment variable KAFKA_PRODUCER_CONFIG: kafka.producer_config = ***: this is neither a table nor a JSON object; allowed: client_id, "
    )


def test_what_is_missing_to_run_is_named_with_the_file(tmp_path):
    missing, unencrypted = findings(tmp_path, "", environ={})
    assert missing.startswith("FILE: dfn.dfn_id: missing; set it to the customer id")
    assert unencrypted.startswith("FILE: dfn.dfn_broker: 'kafka.example.org:443' is not on this machine")
    assert "set dfn.dfn_cert and dfn.dfn_key" in unencrypted
    assert 'kafka.security_protocol = "PLAINTEXT"' in unencrypted


def test_all_findings_come_at_once(tmp_path):
    text = """
[dfn]
dfn_cert = "/c.pem"
[kafka]
timeout = -1
unknown = 1
compression_type = "zip"
[kafka.producer_config]
sasl_mechanism = "PLAIN"
[supervisor]
backoff_initial = 9
[wazuh]
start_at = "middle"
[wazhu]
"""
    found = findings(tmp_path, text, environ={"LOG_LEVEL": "x"}, overrides={"misc.own_network": "y"})
    expected = {
        "FILE:3: dfn.dfn_cert",
        "FILE:5: kafka.timeout",
        "FILE:6: kafka.unknown",
        "FILE:7: kafka.compression_type",
        "FILE:9: kafka.producer_config.sasl_mechanism",
        "FILE:11: supervisor.backoff_initial",
        "FILE:13: wazuh.start_at",
        "FILE:14: wazhu",
        "environment variable LOG_LEVEL: log.level",
        "flag --misc-own-network: misc.own_network",
        "FILE: dfn.dfn_id",
    }
    assert len(found) == len(expected)
    assert {start for start in expected if any(line.startswith((start + ":", start + " = ")) for line in found)} == expected


def test_what_only_follows_from_another_finding_is_not_reported(tmp_path):
    environ = {"DFN_CUSTOMER_ID": "a b", "DFN_CERT_PATH": "/c.pem"}
    found = findings(tmp_path, '[supervisor]\nbackoff_max = "x"\nbackoff_initial = 60\n', environ=environ)
    assert sorted(line.split(" = ")[0].split(": ")[-1] for line in found) == ["dfn.dfn_cert", "dfn.dfn_id", "supervisor.backoff_max"]


@pytest.mark.parametrize("name", ["c.toml", "c.yaml"])
def test_secrets_are_never_printed(tmp_path, name):
    toml = """
[dfn]
dfn_key = \"\"\"-----BEGIN PRIVATE KEY-----
hunter2\"\"\"
dfn_password = "hunter2"
[kafka.producer_config]
sasl_plain_password = "hunter2"
[health.api]
auth_token = "hunter2"
[hunter]
x = "hunter2"
"""
    yaml = """
dfn: {dfn_key: "-----BEGIN PRIVATE KEY----- hunter2", dfn_password: hunter2}
kafka: {producer_config: {sasl_plain_password: hunter2}}
health: {api: {auth_token: hunter2}}
hunter: {x: hunter2}
"""
    environ = {**BASE, "KAFKA_PRODUCER_CONFIG": "hunter2"}
    found = "\n".join(findings(tmp_path, toml if name == "c.toml" else yaml, name) + findings(tmp_path, "", environ=environ))
    assert "hunter2" not in found
    assert "dfn.dfn_key = ***: this is no path; the path of a file is needed here, not its content" in found


@pytest.mark.parametrize("text", ["[log]\nlevel", "[misc]\nown_network", "[wazuh]\nwindows_event_ids"])
def test_long_values_are_shortened(tmp_path, text):
    (finding,) = findings(tmp_path, f'{text} = "{"x" * 500}"\n')
    assert len(finding) < 350
    assert finding.isprintable()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.0.2.1", "monitor.example.org"])
def test_an_api_for_others_than_this_machine_needs_a_token(tmp_path, host):
    text = f'[health.api]\nenabled = true\nhost = "{host}"\n'
    (finding,) = findings(tmp_path, text)
    assert finding.startswith("FILE:3: health.api.host = ")
    assert finding.endswith("without a token; set health.api.auth_token, or listen on 127.0.0.1 or ::1")
    for harmless in (text.replace("true", "false"), text + 'auth_token = "a-long-random-text"'):
        assert load_text(tmp_path, harmless).settings.health.api.host == host.strip("[]")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_an_api_for_this_machine_needs_none(tmp_path, host):
    assert load_text(tmp_path, f'[health.api]\nenabled = true\nhost = "{host}"').settings.health.api.is_loopback


def test_a_token_that_is_short_or_travels_unencrypted_is_warned_of_and_not_shown(tmp_path):
    text = '[health.api]\nenabled = true\nhost = "0.0.0.0"\nauth_token = "hunter2"\n'
    unencrypted, short = load_text(tmp_path, text).warnings
    assert "health.api.https_enabled: the token travels unencrypted; set " in unencrypted
    assert "health.api.auth_token: it is short enough to be guessed; " in short
    assert "hunter2" not in short + effective_text(effective(load_text(tmp_path, text)))
    https = '[health.api]\nenabled = true\nhttps_enabled = true\ncert_file = "/c"\nkey_file = "/k"\nauth_token = "a-long-random-text"'
    assert load_text(tmp_path, https).warnings == ()


def test_files_of_the_api_that_can_not_be_read_are_named(tmp_path):
    text = f'[health.api]\nenabled = true\nhttps_enabled = true\ncert_file = "{tmp_path}/c"\nkey_file = "{tmp_path}/k"'
    state = {"wazuh.checkpoint_file": str(tmp_path / "c.json"), "wazuh.failed_alerts_path": str(tmp_path)}
    with pytest.raises(ConfigurationError) as caught:
        check_paths(load_text(tmp_path, text, overrides=state).settings)
    assert [line.split(" = ")[0] for line in str(caught.value).splitlines()] == ["health.api.cert_file", "health.api.key_file"]
