"""The contract, `kinds/CONTRACT.md`, says what the code does, and every section that is cited is there."""

import re
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from support.alerts import fail2ban_alert, windows_alert
from support.kinds import build, select
from wazuh_dfn.config.event_ids import DEFAULT_EVENT_IDS
from wazuh_dfn.kinds.windows_xml import event_xml
from wazuh_dfn.lines.parse import parse_alert
from wazuh_dfn.wazuh.feedback_format import FeedbackFormat

ROOT = Path(__file__).parents[2]
CONTRACT = (ROOT / "src" / "wazuh_dfn" / "kinds" / "CONTRACT.md").read_text()
HEADINGS = re.findall(r"^#{2,3} (.+)$", CONTRACT, re.MULTILINE)
CITATION = re.compile(r'kinds/CONTRACT\.md((?:(?:,| and) "[^"\n]+")*)')
SOMEWHERE_ELSE = re.compile(r"contract section|\(contract,|contract \d", re.IGNORECASE)

MADE = {
    "json record": lambda kind, alert: build(kind.name, alert, datetime.now(UTC)).decode(),
    "xml event_raw": lambda _, alert: event_xml(alert),
    "text feedback": lambda kind, alert: FeedbackFormat().delivered(kind, alert).decode(),
}


def section(name):
    """Return the text below a heading, up to the next heading of any level."""
    [found] = re.findall(rf"^#+ {re.escape(name)}\n(.*?)(?=^#|\Z)", CONTRACT, re.MULTILINE | re.DOTALL)
    return found


def fields(name):
    return set(re.findall(r"^\| `(\w+)` \|", section(name), re.MULTILINE))


def sources():
    files = [path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    texts = [ROOT / "README.md", ROOT / "src" / "wazuh_dfn" / "README.md", *(ROOT / "src" / "wazuh_dfn" / "manual").glob("*.md")]
    return {path: path.read_text() for path in [*files, *texts]}


def examples():
    for title, text in re.findall(r"^### (.+?)\n(.*?)(?=^#|\Z)", CONTRACT[CONTRACT.index("\n## Examples") :], re.MULTILINE | re.DOTALL):
        [(kind, alert), *made] = re.findall(r"^```(\w+ \w+)\n(.*?)\n```$", text, re.MULTILINE)
        assert kind == "json alert"
        yield pytest.param(alert, made, id=title)


@pytest.mark.parametrize(("line", "made"), [*examples()])
def test_the_examples_are_what_the_code_makes_of_their_alerts(line, made):
    alert = parse_alert(line.encode())
    [kind] = select().kinds(alert)
    assert made
    for what, text in made:
        assert MADE[what](kind, alert) == text


def test_the_sections_have_names_of_their_own():
    assert len(HEADINGS) > 20
    assert len(set(HEADINGS)) == len(HEADINGS)


def test_every_section_that_is_cited_is_there():
    found = [(path.name, names) for path, text in sources().items() for names in CITATION.findall(text)]
    cited = {(file, name) for file, names in found for name in re.findall('"(.+?)"', names)}
    assert len(cited) > 15
    assert {(file, name) for file, name in cited if name not in HEADINGS} == set()


def test_the_contract_cites_sections_of_its_own():
    assert set(re.findall(r'(?:in|see|as in) "([^"\n]+)"', CONTRACT)) <= set(HEADINGS)


def test_the_contract_is_cited_by_its_path_alone():
    assert [path.name for path, text in sources().items() if SOMEWHERE_ELSE.search(text)] == []


def test_the_event_ids_are_the_default():
    assert set(re.findall(r"^\| (\d+) \|", section("Selected Windows events"), re.MULTILINE)) == DEFAULT_EVENT_IDS


@pytest.mark.parametrize(
    ("kind", "alert", "name"),
    [("windows", windows_alert(), "Windows events"), ("fail2ban", fail2ban_alert(), "Syslog messages")],
)
def test_the_tables_name_all_fields_of_a_record(kind, alert, name):
    assert set(orjson.loads(build(kind, alert, datetime.now(UTC)))) == fields("Common fields") | fields(name)
