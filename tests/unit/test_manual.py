"""What the README and the manual name is there: links, files, commands, flags, settings, variables, metrics, codes."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cyclopts import CycloptsError, UnknownOptionError

from support.health_reports import healthy
from support.scrape import full_scrape, types_by_name
from wazuh_dfn.cli import app
from wazuh_dfn.commands.arguments import completed
from wazuh_dfn.commands.manual import read_topics, summary
from wazuh_dfn.config.event_ids import DEFAULT_EVENT_IDS
from wazuh_dfn.config.legacy_keys import LEGACY_KEYS, LEGACY_PRODUCER_OPTIONS, MOVED_PRODUCER_OPTIONS
from wazuh_dfn.config.settings import KNOWN_KEYS, SECTION_PATHS, Settings, variable_name
from wazuh_dfn.daemon.reloading import RELOADABLE
from wazuh_dfn.health.monitor import log_fields
from wazuh_dfn.kafka.faults import FaultCode, Rung

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "wazuh_dfn"
TOPICS = read_topics()
TEXTS = {"README": (ROOT / "README.md").read_text(), **TOPICS}
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "src").rglob("*.md"), *(ROOT / "tests").rglob("*.md")]
KEYS = {".".join(key) for key in KNOWN_KEYS}
SECTIONS = {".".join(path) for path in SECTION_PATHS}
COMMANDS = [
    *(["run"], ["check"], ["status"], ["replay"], ["demo"], ["help"]),
    *(["config", name] for name in ("show", "check", "sample", "convert")),
    *(["dead-letters", name] for name in ("list", "show", "retry", "purge")),
]
"""Without `transform`, which takes an unknown flag for its file, and refuses it later."""

of_each_text = pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS.items()])


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(text, *languages):
    return [body for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if language in languages]


def code(text):
    """Return what stands between backticks outside of blocks, on one line each."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", without_blocks(text))]


def commands(text):
    """Return each command line of `wazuh-dfn` as words, with a number in place of what stands for one."""
    lines = [line for body in blocks(text, "sh", "console") for line in body.replace("\\\n", " ").splitlines()]
    found = [match[1] for line in lines if (match := re.search(r"(?:^|\| |-- |/bin/)wazuh-dfn ([a-z][^|#]+)$", line))]
    found += [each.removeprefix("wazuh-dfn ") for each in code(text) if each.startswith("wazuh-dfn ")]
    return [["1" if word in {"SECONDS", "NUMBER"} else word for word in shlex.split(each)] for each in found]


def parses(words):
    """Return why the command line is refused, nothing if it is not."""
    try:
        app.parse_args(completed(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return str(error)
    return ""


def is_flag(flag):
    for command in COMMANDS:
        try:
            app.parse_args([*command, flag, "1"], exit_on_error=False, print_error=False)
        except UnknownOptionError:
            continue
        except CycloptsError:
            pass
        return True
    return False


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS])
def test_every_relative_link_leads_somewhere(path):
    links = re.findall(r"\]\(([^)\s]+)\)", without_blocks(path.read_text()))
    assert [link for link in links if "://" not in link and not (path.parent / link.split("#")[0]).exists()] == []


class TestWhatIsNamed:
    @of_each_text
    def test_commands(self, text):
        assert {" ".join(words): reason for words in commands(text) if (reason := parses(words))} == {}

    def test_commands_are_found_and_a_wrong_one_would_be_noticed(self):
        assert sum(len(commands(text)) for text in TEXTS.values()) > 100
        assert parses(["check", "--bogus"])
        assert parses(["bogus"])
        assert not is_flag("--bogus")

    @of_each_text
    def test_topics(self, text):
        named = {words[1] for words in commands(text) if words[0] == "help" and len(words) > 1}
        assert named - TOPICS.keys() - {"TOPIC", "--search"} == set()

    @of_each_text
    def test_sections_of_topics(self, text):
        for section, topic in re.findall(r'"([^"\n]+)" in\s+`wazuh-dfn help ([\w.-]+)`', text):
            assert f"\n## {section}\n" in TOPICS[topic]

    @of_each_text
    def test_flags(self, text):
        flags = {match[1] for each in code(text) if (match := re.match(r"(--?[a-z][a-z-]*)\b", each))}
        assert {flag for flag in flags if not is_flag(flag)} == set()

    @of_each_text
    def test_settings(self, text):
        pattern = rf"(?<![\w/.-])(?:{'|'.join(Settings.model_fields)})\.[a-z_]+(?:\.[a-z_]+)?(?![\w/])"
        named = {key for each in code(text) for key in re.findall(pattern, each)}
        assert named - KEYS - SECTIONS - {"health.api"} == set()

    @of_each_text
    def test_settings_in_samples(self, text):
        for sample in blocks(text, "toml"):
            for section, values in tomllib.loads(sample).items():
                assert {f"{section}.{key}" for key in values} <= KEYS

    @of_each_text
    def test_environment_variables(self, text):
        named = {each for each in code(text) if re.fullmatch(r"[A-Z]+(?:_[A-Z]+)+", each)} - {"SECTION_KEY"}
        assert named <= {variable_name(key) for key in KNOWN_KEYS}

    @of_each_text
    def test_metrics(self, text):
        named = set(re.findall(r"\b(?:wazuh_dfn|process)_\w+", text))
        assert named <= set(types_by_name(full_scrape()))

    @of_each_text
    def test_files_of_the_repository(self, text):
        named = {path for each in code(text) for path in re.findall(r"(?<![\w/.])((?:conf|scripts|src|tests)/[\w./-]+)", each)}
        assert {path for path in named if not (ROOT / path).exists()} == set()


class TestWhatIsComplete:
    def rows(self, topic, section):
        text = TOPICS[topic].split(f"\n## {section}\n")[1].split("\n## ")[0]
        return {name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}

    def test_metrics(self):
        rows = re.findall(r"^\| `(\w+)(?:\{\w+\})?` \| (\w+) \|", TOPICS["monitoring"], re.MULTILINE)
        assert dict(rows) == types_by_name(full_scrape())

    def test_codes_of_faults(self):
        assert self.rows("connection", "Faults") == {code.value for code in FaultCode}

    def test_fields_of_the_statistics(self):
        rates = {"lines_per_second": 1.0, "delivered_per_second": 1.0}
        assert self.rows("operating", "Statistics") == set(log_fields(healthy(), rates))

    def test_settings_that_a_reload_takes_over(self):
        section = TOPICS["operating"].split("\n## Reload\n")[1].split("\n## ")[0]
        assert set(code(section)) == {".".join(key) for key in RELOADABLE}

    def test_names_of_checks(self):
        sources = "".join(path.read_text() for path in (PACKAGE / "check").glob("*.py"))
        known = set(re.findall(r'(?:ok|info|warning|failure|Finding)\(\s*"([a-z-]+)"', sources)) | {each.value for each in Rung}
        named = self.rows("checking", "Checks")
        assert {name for name in named if name not in known and f'"{name}"' not in sources} == set()
        assert known - named - {Rung.RECORDS} == set()

    def test_event_ids(self):
        section = TOPICS["alerts"].split("\n## Windows events\n")[1].split("\n- ")[0]
        assert set(re.findall(r"\d+", section)) == set(map(str, DEFAULT_EVENT_IDS))

    def test_keys_of_0_23(self):
        named = set(code(TOPICS["moving-from-0.23"]))
        assert {".".join(key) for key in LEGACY_KEYS} <= named
        assert LEGACY_PRODUCER_OPTIONS.keys() | MOVED_PRODUCER_OPTIONS.keys() <= named


@pytest.mark.parametrize("topic", TOPICS)
class TestEachTopic:
    def test_it_begins_with_a_heading_and_one_sentence(self, topic):
        heading, first, *_ = TOPICS[topic].split("\n\n")
        assert re.fullmatch("# .+", heading)
        assert summary(TOPICS[topic]) == first
        assert re.fullmatch(r"[^\n]{20,120}[.]", first)

    def test_it_is_neither_long_nor_a_stub(self, topic):
        assert 1_000 <= len(TOPICS[topic].encode()) <= 8_192

    def test_the_overview_and_the_readme_name_it(self, topic):
        assert topic == "overview" or f"`wazuh-dfn help {topic}`" in TOPICS["overview"]
        assert topic == "overview" or f"manual/{topic}.md" in TEXTS["README"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    command = [sys.executable, ROOT / "scripts" / "man_pages.py", tmp_path_factory.mktemp("man")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


class TestManPages:
    def test_there_is_one_for_each_topic(self, pages):
        expected = {"man8/wazuh-dfn.8", *(f"man7/wazuh-dfn-{topic}.7" for topic in TOPICS if topic != "overview")}
        assert {f"{page.parent.name}/{page.name}" for page in pages} == expected

    @pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
    def test_groff_has_no_complaint_and_all_words_are_there(self, pages):
        command = ["groff", "-man", "-Tascii", "-ww", "-rLL=200n", "-P-cbou"]
        for page in pages:
            done = subprocess.run([*command, page], capture_output=True, text=True, timeout=60, check=True)
            assert done.stderr == ""
            topic = page.stem.removeprefix("wazuh-dfn-") if page.suffix == ".7" else "overview"
            wanted = {word for each in code(TOPICS[topic]) for word in each.split()}
            assert {word for word in wanted if word not in done.stdout} == set()

    @pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
    def test_mandoc_finds_no_errors(self, pages):
        done = subprocess.run(["mandoc", "-Tlint", "-Werror", *pages], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout
