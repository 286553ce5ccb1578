"""Files: what can't be read says so in one line; lines are found; names of variables and flags."""

import pytest

from wazuh_dfn.config.documents import read_document
from wazuh_dfn.config.loading import load_settings
from wazuh_dfn.config.settings import KNOWN_KEYS, flag_name, variable_name
from wazuh_dfn.errors import ConfigurationError


def refused(path, file_format=None):
    with pytest.raises(ConfigurationError) as caught:
        read_document(path, file_format)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("c.toml", b"[kafka]\ntimeout = \n", "FILE:2: this is no TOML (column 10): Unexpected character"),
        ("c.toml", b"[kafka\n", "FILE:1: this is no TOML"),
        ("c.toml", b"[kafka]\ntimeout = 1\ntimeout = 2\n", 'FILE:3: this is no TOML: Key "timeout" already exists; mend'),
        ("c.toml", b"[kafka]\n[log]\n[kafka]\n", "FILE:3: this is no TOML"),
        ("c.yaml", b"kafka:\n  timeout: [1\n", "FILE:3: this is no YAML"),
        ("c.yaml", b"kafka:\n\ttimeout: 1\n", "FILE:2: this is no YAML"),
        (
            "c.yaml",
            b"kafka:\n  timeout: 1\n  timeout: 2\n",
            "FILE:3: this is no YAML (column 3): the key timeout stands here for the second time",
        ),
        ("c.yaml", b"a: 1\n---\nb: 2\n", "FILE:2: this is no YAML"),
        ("c.yaml", b"a: !!python/object:os.system x\n", "FILE:1: this is no YAML"),
        ("c.yaml", b"a: 2024-99-99\n", "FILE: this is no YAML"),
        ("c.yaml", b"a: \x00\n", "FILE: this is no YAML"),
        ("c.yaml", b"- kafka\n", "FILE:1: the file holds no sections; write sections"),
        ("c.yaml", b"kafka\n", "FILE:1: the file holds no sections; write sections"),
        ("c.toml", b"[log]\nlevel = '\xff'\n", "FILE: byte 15 is no UTF-8; save"),
        ("c.conf", b"", "FILE: the ending does not tell the format; name the file .toml or .yaml, or give --config-format"),
    ],
)
def test_a_file_that_can_not_be_read_says_where_and_what_to_do(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content)
    assert refused(path).startswith(expected)


def test_a_missing_file_says_what_to_do(tmp_path):
    assert refused(tmp_path / "c.toml") == "FILE: there is no such file; name yours with --config PATH, or start from a sample file"


def test_a_folder_is_no_file(tmp_path):
    assert refused(tmp_path, "toml").startswith("FILE: can't be read (Is a directory); ")


@pytest.mark.parametrize("name", ["c.toml", "c.yaml"])
def test_an_empty_file_is_a_file_without_keys(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\xef\xbb\xbf# nothing\r\n")
    assert read_document(path).values == {}


def test_toml_lines_are_found_through_comments_long_texts_lists_and_inline_tables(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        'log.level = "INFO" # 1\n'
        "# [kafka]\n"
        "[ wazuh ]\n"
        'json_alert_file = """\n'
        "[kafka]\n"
        'timeout = 1"""\n'
        "windows_event_ids = [\n"
        '  "1 = 2",\n'
        "]\n"
        '"max_failed_files" = 5\n'
        "[kafka]\n"
        "producer_config = { client_id = 'me' }\n"
        '[health."api"]\n'
        "port=1\n",
        encoding="utf-8",
    )
    document = read_document(path)
    place = {
        ("log", "level"): 1,
        ("wazuh",): 3,
        ("wazuh", "json_alert_file"): 4,
        ("wazuh", "windows_event_ids"): 7,
        ("wazuh", "max_failed_files"): 10,
        ("kafka",): 11,
        ("kafka", "producer_config", "client_id"): 12,
        ("health", "api", "port"): 14,
        ("kafka", "timeout"): 11,
    }
    assert {key: document.place(key) for key in place} == {key: f"{path}:{line}" for key, line in place.items()}
    assert document.place(("misc",)) == str(path)


def test_yaml_lines_are_found_in_nested_and_inline_tables(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("# first\nhealth:\n  api:\n    port: 1\nkafka: {timeout: 1,\n  max_batch_bytes: 2}\n", encoding="utf-8")
    document = read_document(path)
    assert document.place(("health", "api", "port")) == f"{path}:4"
    assert document.place(("kafka", "max_batch_bytes")) == f"{path}:6"


def test_every_key_has_its_own_variable_and_flag():
    assert len({variable_name(key) for key in KNOWN_KEYS}) == len(KNOWN_KEYS)
    assert len({flag_name(key) for key in KNOWN_KEYS}) == len(KNOWN_KEYS)
    assert variable_name(("supervisor", "shutdown_timeout")) == "SUPERVISOR_SHUTDOWN_TIMEOUT"


@pytest.mark.parametrize("text", ['["10.0.0.0/8", "2001:db8::/32"]', "10.0.0.0/8,2001:db8::/32", " 10.0.0.0/8 , 2001:db8::/32 "])
def test_a_list_in_a_variable_is_json_or_has_commas(text):
    loaded = load_settings(None, environ={"MISC_OWN_NETWORK": text}, to_run=False)
    assert loaded.settings.misc.own_network == ("10.0.0.0/8", "2001:db8::/32")
    assert loaded.places == {("misc", "own_network"): "environment variable MISC_OWN_NETWORK"}
