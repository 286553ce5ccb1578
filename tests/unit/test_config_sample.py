"""The samples in conf/ are what `config sample` writes, load as they are, and show every key with its default."""

import re
from pathlib import Path

import pytest

from wazuh_dfn.config.loading import load_settings
from wazuh_dfn.config.presentation import sample
from wazuh_dfn.config.setting_types import described
from wazuh_dfn.config.settings import FIELDS, Settings

CONF = Path(__file__).parents[2] / "conf"


def uncommented(text):
    return re.sub(r"(?m)^( *)#(?=[a-z_]+(:| =))", r"\1", text)


def value_of(settings, key):
    for name in key:
        settings = getattr(settings, name)
    return settings


@pytest.mark.parametrize("file_format", ["toml", "yaml"])
class TestSample:
    def loaded(self, folder, file_format, text):
        path = folder / f"c.{file_format}"
        path.write_text(text, encoding="utf-8")
        return load_settings(path, environ={}, to_run=False)

    def test_the_file_in_conf_is_in_step_with_the_model(self, file_format):
        path = CONF / f"wazuh-dfn.sample.{file_format}"
        assert path.read_text(encoding="utf-8") == sample(file_format), f"wazuh-dfn config sample --format {file_format} > conf/{path.name}"

    def test_loads_as_it_is_and_changes_nothing(self, file_format, tmp_path):
        loaded = self.loaded(tmp_path, file_format, sample(file_format))
        assert loaded.settings == Settings()
        assert loaded.warnings == ()

    def test_every_key_can_be_switched_on_and_has_its_default_or_an_example(self, file_format, tmp_path):
        loaded = self.loaded(tmp_path, file_format, uncommented(sample(file_format)))
        assert loaded.warnings == ()
        for key, field in FIELDS.items():
            shown, default = value_of(loaded.settings, key), value_of(Settings(), key)
            assert key in loaded.places
            assert (shown != default) == bool(field.examples), key

    def test_each_key_stands_below_its_description(self, file_format):
        text = re.sub(r"\n *# ", " ", sample(file_format))
        for key, field in FIELDS.items():
            assert re.search(rf"{re.escape(described(field))}\n *#{key[-1]}\b", text), key
