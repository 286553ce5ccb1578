"""How findings are shown."""

import json

from wazuh_dfn.check.findings import failure, info, ok, warning
from wazuh_dfn.check.findings_report import Report


def test_a_finding_is_one_line_whatever_a_foreign_certificate_is_called(capsys):
    report = Report(as_json=False)
    report.add([info("broker-certificate", "presents CN=\x1b[2J\nok key: [bold]all is well[/]\u202e, good for a day")])
    report.finish()
    assert capsys.readouterr().out.splitlines() == [
        "info     broker-certificate: presents CN=\ufffd[2J\ufffdok key: [bold]all is well[/]\ufffd, good for a day",
        "0 failed, 0 warnings, 0 ok",
    ]


def test_long_lines_are_not_broken(capsys):
    report = Report(as_json=False)
    report.add([warning("topic", "word " * 60, "do this")])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_result_is_the_worst_level(capsys):
    results = []
    for findings in (
        [],
        [ok("a", "b"), info("a", "b")],
        [warning("a", "b", "c"), ok("a", "b")],
        [failure("a", "b", "c"), warning("a", "b", "c")],
    ):
        report = Report(as_json=True)
        report.add(findings)
        report.finish()
        results.append(json.loads(capsys.readouterr().out)["result"])
    assert results == ["ok", "ok", "warning", "failure"]
