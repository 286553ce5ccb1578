"""Converting between YAML and TOML: the same values, the comments where they belong, and nothing is overwritten."""

import pytest
import tomlkit

from wazuh_dfn.config.convert import convert, convert_file
from wazuh_dfn.config.documents import read_document
from wazuh_dfn.config.presentation import sample
from wazuh_dfn.errors import ConfigurationError

YAML = """\
# Site configuration
# of Example University

dfn:  # who we are
  # the broker
  dfn_broker: kafka.example.org:443  # in production
  dfn_id: abc
  #dfn_cert: /x/y.pem  # the old one
  # below the last key

# About Wazuh
wazuh:
  json_alert_file: "/a: #b.json"
  windows_event_ids: [+4768, -1100]  # more, and less
  integration_name: |
    several
    # lines
  # below a long text
kafka:
  timeout: 60

  producer_config:
    # for bursts
    retry_backoff_ms: 5  # milliseconds
    # the end of the inner table

log:
  #level: DEBUG
health:
  api: {enabled: true,
        port: 8080}
# the end
"""

TOML = """\
# Site configuration
# of Example University

[dfn]  # who we are
# the broker
dfn_broker = "kafka.example.org:443"  # in production
dfn_id = "abc"
#dfn_cert = "/x/y.pem"  # the old one
# below the last key

# About Wazuh
[wazuh]
json_alert_file = "/a: #b.json"
windows_event_ids = ["+4768", -1100]  # more, and less
integration_name = "several\\n# lines\\n"
# below a long text

[kafka]
timeout = 60

[kafka.producer_config]
# for bursts
retry_backoff_ms = 5  # milliseconds
# the end of the inner table

[log]
#level = "DEBUG"

[health.api]
enabled = true
port = 8080
# the end
"""


def test_yaml_becomes_toml_with_its_comments_and_the_keys_that_are_switched_off():
    assert convert(YAML, "yaml", "toml") == TOML


def test_there_and_back_changes_nothing():
    yaml = convert(TOML, "toml", "yaml")
    assert convert(yaml, "yaml", "toml") == TOML
    assert convert(yaml, "yaml", "yaml") == yaml


def test_the_sample_in_one_format_becomes_the_sample_in_the_other():
    assert convert(sample("toml"), "toml", "yaml") == sample("yaml")
    assert convert(sample("yaml"), "yaml", "toml") == sample("toml")


def test_tables_in_several_parts_and_dotted_keys_become_one_table():
    text = '[kafka.producer_config]\nacks = 1\n[log]\nlevel = "INFO"\n[kafka]\ntimeout = 7 # s\n[health]\napi.port = 1\n'
    assert convert(text, "toml", "yaml") == (
        "kafka:\n  producer_config:\n    acks: 1\n  timeout: 7  # s\nlog:\n  level: INFO\nhealth:\n  api:\n    port: 1\n"
    )


def test_null_which_toml_has_not_becomes_a_key_that_is_switched_off():
    assert convert("dfn:\n  dfn_ca: null\n  dfn_key:\n", "yaml", "toml") == '[dfn]\n#dfn_ca = ""\n#dfn_key = ""\n'


def test_marks_of_a_yaml_document_are_no_comments():
    assert convert("---\n# head\nlog:\n  level: INFO\n  # tail\n...\n", "yaml", "toml") == '# head\n[log]\nlevel = "INFO"\n# tail\n'


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_a_file_without_keys_stays_one(text):
    assert convert(text, "yaml", "toml") == convert(text, "toml", "yaml") == (text or "\n")


def test_prose_is_not_taken_for_a_key():
    text = "[log]\n# level: see the manual\n# note = this\nkeep_files = 1\n"
    assert convert(text, "toml", "yaml") == "log:\n  # level: see the manual\n  # note = this\n  keep_files: 1\n"


@pytest.mark.parametrize(("old", "new", "text"), [("c.yaml", "c.toml", YAML), ("c.toml", "c.yml", TOML)])
def test_the_new_file_says_the_same_and_keeps_the_permissions(tmp_path, old, new, text):
    (tmp_path / old).write_text(text)
    (tmp_path / old).chmod(0o600)
    convert_file(tmp_path / old, tmp_path / new)
    said = [{section: keys for section, keys in read_document(tmp_path / name).values.items() if keys} for name in (old, new)]
    assert said[0] == said[1]
    assert (tmp_path / new).stat().st_mode & 0o777 == 0o600


def test_a_file_is_not_overwritten(tmp_path):
    (tmp_path / "c.yaml").write_text(YAML)
    (tmp_path / "c.toml").write_text("# mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        convert_file(tmp_path / "c.yaml", tmp_path / "c.toml")
    assert (tmp_path / "c.toml").read_text() == "# mine"


@pytest.mark.parametrize("text", ["base: &b {timeout: 1}\nkafka:\n  <<: *b\n", "kafka: [1\n", "- a\n"])
def test_what_can_not_be_converted_is_refused_and_nothing_is_written(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"c\.yaml"):
        convert_file(tmp_path / "c.yaml", tmp_path / "c.toml")
    assert not (tmp_path / "c.toml").exists()


def test_crlf_and_a_byte_order_mark_are_no_hindrance(tmp_path):
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbf" + YAML.replace("\n", "\r\n").encode())
    convert_file(tmp_path / "c.yaml", tmp_path / "c.toml")
    assert (tmp_path / "c.toml").read_text() == TOML
    assert tomlkit.parse(TOML)


@pytest.mark.parametrize(
    ("old", "line", "value", "comment"),
    [
        ("yaml", "  level: a#b  # c", "a#b", "# c"),
        ("yaml", "  level: it's # c's", "it's", "# c's"),
        ("yaml", "  level: 'it''s # x'  # c", "it's # x", "# c"),
        ("yaml", "  level: plain#", "plain#", ""),
        ("toml", 'level = "a # \\" b"#c', 'a # " b', "#c"),
        ("toml", "level = 'a # b'", "a # b", ""),
    ],
)
def test_a_hash_within_a_value_begins_no_comment(old, line, value, comment):
    text = f"log:\n{line}\n" if old == "yaml" else f"[log]\n{line}\n"
    converted = convert(text, old, "toml")
    assert tomlkit.parse(converted).unwrap() == {"log": {"level": value}}
    assert converted.splitlines()[1].endswith(comment)
    assert comment or "  #" not in converted


def test_a_comment_within_a_list_is_moved_below_it():
    text = "misc:\n  own_network:\n    - 10.0.0.0/8\n    # the lab\n    - 192.0.2.0/24  # lost\nlog:\n  level: INFO\n"
    assert convert(text, "yaml", "toml") == ('[misc]\nown_network = ["10.0.0.0/8", "192.0.2.0/24"]\n# the lab\n\n[log]\nlevel = "INFO"\n')


def test_an_inline_table_stays_one_and_an_inline_section_becomes_a_table():
    text = "kafka:\n  producer_config: {client_id: me, retry_backoff_ms: 5}\nhealth: {api: {port: 1}}\n"
    assert convert(text, "yaml", "toml") == (
        '[kafka]\nproducer_config = {client_id = "me", retry_backoff_ms = 5}\n\n[health.api]\nport = 1\n'
    )


def test_a_comment_that_is_indented_deeper_than_the_next_table_stays_with_its_own():
    text = "kafka:\n  timeout: 1\n  # about kafka\n# about log\nlog:\n  level: INFO\n"
    assert convert(text, "yaml", "yaml") == text
