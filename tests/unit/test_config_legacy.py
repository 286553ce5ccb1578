"""Files, variables and flags of version 0.23: every key takes effect, or is accepted with exactly one warning that names it."""

import functools
import json
from pathlib import Path

import pytest
import tomlkit
from ruamel.yaml import YAML

from support.old_keys import OLD_KEYS
from wazuh_dfn.cli import main
from wazuh_dfn.config.documents import dotted, read_document
from wazuh_dfn.config.legacy_keys import LEGACY_KEYS
from wazuh_dfn.config.loading import load_settings
from wazuh_dfn.config.setting_types import plain
from wazuh_dfn.config.settings import FIELDS, KNOWN_KEYS, flag_name, is_switch, variable_name

FIXTURES = Path(__file__).parents[1] / "fixtures"
BASE = {"dfn.dfn_id": "customer-1", "dfn.dfn_broker": "localhost:9092"}
EACH = [pytest.param(old, id=old.key) for old in OLD_KEYS]


def path_of(key):
    return tuple(key.split("."))


def takes_effect(old):
    return path_of(old.key) in FIELDS


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


def as_text(value):
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(value) if isinstance(value, list) else str(value)


def environment(values):
    return {variable_name(path_of(key)): as_text(value) for key, value in values.items()}


def load_from(source, folder, values, base):
    """Load `values` from a file or the environment, and `base` from flags."""
    if source == "environment":
        return load_settings(None, environ=environment(values), overrides=base)
    return load_settings(write(folder, values, source), environ={}, overrides=base)


def load_flags(**flags):
    return load_settings(None, environ={}, overrides={**BASE, **{name.replace("__", "."): value for name, value in flags.items()}})


def value_of(settings, key):
    for name in key.split("."):
        settings = getattr(settings, name)
    return plain(settings)


def is_the_same(found, given):
    return found == given or as_text(found) == as_text(given)


def others(old):
    """What is given together with a key, as far as it is another one."""
    return {key: value for key, value in {**BASE, **old.together}.items() if key != old.key}


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code, capsys.readouterr()


@pytest.fixture
def no_variables(monkeypatch):
    for key in KNOWN_KEYS:
        monkeypatch.delenv(variable_name(key), raising=False)


def test_the_keys_without_use_are_all_of_old():
    assert {dotted(key) for key in LEGACY_KEYS} <= {old.key for old in OLD_KEYS}
    assert len({old.key for old in OLD_KEYS}) == 62


@pytest.mark.parametrize("old", EACH)
def test_a_key_is_known_and_its_variable_and_flag_have_their_old_names(old):
    path = path_of(old.key)
    assert (path in FIELDS) != (path in LEGACY_KEYS)
    assert variable_name(path) == old.variable
    assert flag_name(path) == old.flag


@pytest.mark.parametrize("old", EACH)
@pytest.mark.parametrize("source", ["old.toml", "old.yaml", "environment"])
def test_a_key_takes_effect_or_gives_exactly_one_warning_that_names_it_and_what_to_use(tmp_path, old, source):
    loaded = load_from(source, tmp_path, {old.key: old.other}, others(old))
    about = [warning for warning in loaded.warnings if f": {old.key} " in warning]
    if takes_effect(old):
        assert is_the_same(value_of(loaded.settings, old.key), old.other)
        assert not is_the_same(old.other, old.default)
        assert about == []
    else:
        (warning,) = about
        assert "; " in warning
        assert "hunter2" not in warning


@pytest.mark.parametrize("old", EACH)
def test_a_flag_without_a_subcommand_takes_effect_or_gives_one_warning(capsys, no_variables, old):
    given = [f"{flag_name(path_of(key))}={as_text(value)}" for key, value in others(old).items()]
    code, printed = command(capsys, old.flag, as_text(old.other), *given, "--print-config-only")
    assert code == 0, printed.err
    if takes_effect(old):
        assert old.key == "health.api.auth_token" or is_the_same(at(tomlkit.parse(printed.out), old.key), old.other)
        assert f"# flag {old.flag}\n" in printed.out
        assert f": {old.key} " not in printed.err
    else:
        assert printed.err.count(f"warning: flag {old.flag}: {old.key} ") == 1


def at(document, key):
    document = document.unwrap()
    for name in key.split("."):
        document = document[name]
    return document


@pytest.mark.parametrize("old", [pytest.param(old, id=old.key) for old in OLD_KEYS if is_switch(path_of(old.key))])
@pytest.mark.parametrize(
    ("form", "expected"),
    [("{}", "True"), ("{} true", "True"), ("{}=true", "True"), ("{} false", "False"), ("{}=no", "False"), ("--no-{}", "False")],
)
def test_a_switch_is_understood_in_every_form(capsys, no_variables, old, form, expected):
    flag = form.format(old.flag) if form.startswith("{}") else form.format(old.flag.removeprefix("--"))
    given = [f"{flag_name(path_of(key))}={as_text(value)}" for key, value in others(old).items()]
    code, printed = command(capsys, "run", *flag.split(), *given, "--print-config-only")
    assert code == 0, printed.err
    assert not takes_effect(old) or as_text(at(tomlkit.parse(printed.out), old.key)) == expected


@pytest.mark.parametrize("name", ["wazuh-dfn-0.23.toml", "wazuh-dfn-0.23.yaml"])
@pytest.mark.parametrize("old", EACH)
def test_a_full_file_of_old_needs_no_change(old_file, name, old):
    loaded, in_file = old_file(name)
    about = [warning for warning in loaded.warnings if f": {old.key} " in warning]
    if takes_effect(old):
        assert about == []
        assert old.key == "kafka.producer_config" or is_the_same(value_of(loaded.settings, old.key), at(in_file, old.key))
    else:
        assert len(about) == 1
        assert f"{name}:" in about[0]


@pytest.fixture(scope="module")
def old_file(tmp_path_factory):
    @functools.cache
    def load(name):
        path = tmp_path_factory.mktemp("old") / name
        path.write_text((FIXTURES / name).read_text().replace("@FOLDER@", "/srv").replace("@BROKER@", "kafka.example.org:443"))
        return load_settings(path, environ={}), tomlkit.item(read_document(path).values)

    return load


def test_an_old_environment_with_every_variable_at_its_old_default_starts():
    environ = {old.variable: as_text(old.default) for old in OLD_KEYS if old.default is not None}
    loaded = load_settings(None, environ={**environ, "DFN_CUSTOMER_ID": "customer-1"})
    assert loaded.settings.kafka.producer_config.given() == {}
    assert loaded.settings.log.console is True


def test_a_key_without_use_in_file_and_variable_gives_one_warning_still(tmp_path):
    path = write(tmp_path, {"misc.num_workers": 1}, "c.toml")
    assert len(load_settings(path, environ={"MISC_NUM_WORKERS": "2"}, overrides=BASE).warnings) == 1


def test_the_old_statistics_interval_takes_effect_where_the_new_one_is_not_set():
    loaded = load_flags(log__interval=30)
    assert loaded.settings.health.stats_interval == 30
    assert loaded.warnings == ("flag --log-interval: log.interval is the old name of health.stats_interval; use that one",)
    assert load_flags(log__interval=30, health__stats_interval=40).settings.health.stats_interval == 40


def test_producer_options_that_are_keys_by_now_take_effect():
    options = {
        "max_request_size": 500_000,
        "enable_idempotence": False,
        "acks": "all",
        "retry_backoff_ms": 9,
        "client_id": "me",
    }
    loaded = load_flags(kafka__producer_config=options)
    kafka = loaded.settings.kafka
    assert (kafka.max_request_size, kafka.max_batch_bytes, kafka.idempotence) == (500_000, 500_000, False)
    assert kafka.producer_config.given() == {"client_id": "me", "retry_backoff_ms": 9}
    assert loaded.warnings == ()


def test_a_key_of_its_own_wins_over_the_producer_option():
    loaded = load_flags(kafka__producer_config={"max_request_size": 7_000_000}, kafka__max_request_size=8_000_000)
    assert loaded.settings.kafka.max_request_size == 8_000_000
    assert "kafka.producer_config.max_request_size has no effect: kafka.max_request_size is set too and wins" in loaded.warnings[0]


def test_no_batch_waits_to_be_filled():
    (warning,) = load_flags(kafka__producer_config={"linger_ms": 7}).warnings
    assert "kafka.producer_config.linger_ms is not needed" in warning


@pytest.mark.parametrize("acks", [0, 1, "1"])
def test_fewer_acknowledgements_are_not_to_be_had(acks):
    (warning,) = load_flags(kafka__producer_config={"acks": acks}).warnings
    assert "kafka.producer_config.acks has no effect: acks is all" in warning


def test_the_old_batch_size_makes_no_small_batches():
    loaded = load_flags(kafka__producer_config={"max_batch_size": 16384})
    assert loaded.settings.kafka.max_batch_bytes == 950_000
    assert "kafka.max_batch_bytes" in loaded.warnings[0]


def test_producer_options_from_a_variable_are_json():
    loaded = load_settings(None, environ={"KAFKA_PRODUCER_CONFIG": '{"retry_backoff_ms": 7}'}, overrides=BASE)
    assert loaded.settings.kafka.producer_config.retry_backoff_ms == 7
