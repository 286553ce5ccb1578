"""The rules for Prometheus and the dashboard for Grafana in conf/: in step with the daemon's metrics, and right in themselves."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path

import promql_parser as promql
import pytest
from ruamel.yaml import YAML

from support.scrape import full_scrape, labels_by_series, types_by_name

ROOT = Path(__file__).parents[2]
RULES = ROOT / "conf" / "wazuh-dfn.rules.yml"
RULES_TEST = ROOT / "tests" / "fixtures" / "wazuh-dfn.rules.test.yml"
MONITORING = ROOT / "src" / "wazuh_dfn" / "manual" / "monitoring.md"
DASHBOARD = ROOT / "conf" / "wazuh-dfn.dashboard.json"

NOT_SHOWN = {"process_virtual_memory_bytes", "wazuh_dfn_certificate_expiry_timestamp_seconds"}
"""One says little about a process like this, the other is a date, of which an alert tells in time."""

MADE_BY_PROMETHEUS = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}
TARGET_LABELS = {"job", "instance"}
VARIABLES = {"$__rate_interval": "5m", "$job": "wazuh-dfn", "$instance": ".+"}

SCRAPED = full_scrape()
LABELS = labels_by_series(SCRAPED) | MADE_BY_PROMETHEUS
RULE_LIST = [rule for group in YAML(typ="safe").load(RULES)["groups"] for rule in group["rules"]]
BOARD = json.loads(DASHBOARD.read_text())
DRAWN = [panel for panel in BOARD["panels"] if panel["type"] != "row"]

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: apt install prometheus)")


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def parse(expression):
    """Return the series that the expression selects, each with the labels it selects by, and the labels it groups by."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    selected, grouped_by = [], set()

    def visit(node):
        if isinstance(node, promql.VectorSelector):
            selected.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql.AggregateExpr) and modifier:
            grouped_by.update(modifier.labels)
        if isinstance(node, promql.BinaryExpr) and modifier:
            grouped_by.update(modifier.group_labels or (), modifier.matching.labels if modifier.matching else ())

    promql.walk(promql.parse(expression), visit)
    return selected, grouped_by


def used():
    """Yield each expression with a name for it and the labels that are shown with it."""
    for rule in RULE_LIST:
        texts = "".join(rule["annotations"].values())
        yield rule["alert"], rule["expr"], set(re.findall(r"\$labels\.(\w+)", texts))
    for panel in DRAWN:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"], set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    for query in BOARD["annotations"]["list"]:
        if "expr" in query:
            yield query["name"], query["expr"], set(re.findall(r"{{(\w+)}}", query["titleFormat"] + query["textFormat"]))
    for variable in BOARD["templating"]["list"]:
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
        yield variable["name"], series, {label}


@pytest.mark.parametrize(("expression", "shown"), [pytest.param(*rest, id=name) for name, *rest in used()])
def test_names_of_metrics_and_labels_are_those_that_the_daemon_has(expression, shown):
    selected, grouped_by = parse(expression)
    assert selected
    for series, labels in selected:
        assert series in LABELS
        assert labels <= LABELS[series] | TARGET_LABELS
    assert shown | grouped_by <= TARGET_LABELS.union(*(LABELS[series] for series, _ in selected))


def test_the_dashboard_shows_every_metric_or_it_is_listed_as_not_shown():
    assert all(family.samples for family in SCRAPED)
    shown = {series for panel in DRAWN for target in panel["targets"] for series, _ in parse(target["expr"])[0]}
    names = {re.sub("_bucket$", "", series) for series in shown}
    assert set(types_by_name(SCRAPED)) - names == NOT_SHOWN


def test_each_alert_is_ranked_and_says_what_to_do_next():
    names = [rule["alert"] for rule in RULE_LIST]
    assert len(set(names)) == len(names)
    for rule in RULE_LIST:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert "for" in rule
        assert re.search(r'"(wazuh-dfn|systemctl|journalctl) \w', rule["annotations"]["description"]), rule["alert"]


def test_each_alert_is_seen_firing_by_the_test_of_the_rules_with_the_labels_that_its_text_names():
    fired = re.findall(r"{labels: '{(alertname=.*?)}', value: 1}", RULES_TEST.read_text())
    for rule in RULE_LIST:
        labels = [set(re.findall(r"(\w+)=", each)) for each in fired if f'alertname="{rule["alert"]}", instance' in each]
        assert labels, rule["alert"]
        named = set(re.findall(r"\$labels\.(\w+)", "".join(rule["annotations"].values())))
        assert any(named <= each for each in labels), rule["alert"]


def scrape_config():
    return re.search(r"```yaml\n(rule_files:.*?)```", MONITORING.read_text(), re.DOTALL)[1]


def test_the_job_in_the_manual_has_the_name_that_the_rules_want():
    (job,) = YAML(typ="safe").load(scrape_config())["scrape_configs"]
    assert set(re.findall(r'job="([^"]*)"', RULES.read_text())) == {job["job_name"]}


@needs_promtool
@pytest.mark.parametrize("command", [("check", "rules", RULES), ("test", "rules", RULES_TEST)], ids=["check", "test"])
def test_promtool_finds_that_the_rules_are_right_and_fire_when_they_should(command):
    assert "SUCCESS" in promtool(*command)


@needs_promtool
def test_promtool_takes_the_configuration_in_the_manual(tmp_path):
    (tmp_path / "prometheus.yml").write_text(scrape_config())
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", tmp_path / "prometheus.yml")


class TestDashboard:
    def test_the_panels_have_ids_of_their_own_and_do_not_overlap(self):
        ids = [panel["id"] for panel in BOARD["panels"]]
        assert len(set(ids)) == len(ids)
        places = [(panel["title"], panel["gridPos"]) for panel in BOARD["panels"]]
        assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for _, place in places)
        for (one, a), (other, b) in combinations(places, 2):
            apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
            assert apart, f"{one} and {other}"

    def test_each_panel_is_described_has_a_unit_and_asks_the_chosen_prometheus_about_the_chosen_instances(self):
        (asked,) = BOARD["__inputs"]
        assert (asked["name"], asked["pluginId"]) == ("DS_PROMETHEUS", "prometheus")
        for panel in DRAWN:
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
            for part in (panel, *panel["targets"]):
                assert part["datasource"] == {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
            for target in panel["targets"]:
                selected, _ = parse(target["expr"])
                assert all(labels >= TARGET_LABELS for _, labels in selected)

    def test_the_parts_of_grafana_that_it_needs_are_listed(self):
        needed = {part["id"] for part in BOARD["__requires"] if part["type"] == "panel"}
        assert needed == {panel["type"] for panel in DRAWN}
