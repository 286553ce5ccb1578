"""Certificates that run out: told in time, once for each of the days, and again for a new one."""

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from wazuh_dfn.kafka.certificate_expiry import NAMES, Certificates, CertificateSeen

DAY = 86_400
END = datetime(2027, 3, 1, 12, tzinfo=UTC).timestamp()


def told(certificates, *days_left):
    """Return how many days each line in the log tells that looks at these times before the end give."""
    with capture_logs() as logs:
        for days in days_left:
            certificates.look(END - days * DAY)
    return [log["days_left"] for log in logs]


@pytest.fixture
def certificates():
    certificates = Certificates()
    certificates.seen(CertificateSeen("client", END))
    return certificates


def test_it_is_told_once_at_each_of_the_days_however_often_one_looks(certificates):
    looks = [days / 4 for days in range(400, -9, -1)]
    assert told(certificates, *looks) == [30, 14, 7, 3, 1, 0]


def test_a_daemon_that_starts_late_tells_at_once(certificates):
    assert told(certificates, 5.5, 5.4) == [5]


def test_one_that_was_renewed_is_told_of_at_its_own_time(certificates):
    assert told(certificates, 29) == [29]
    certificates.seen(CertificateSeen("client", END + 365 * DAY))
    assert told(certificates, 0) == []
    assert told(certificates, -336) == [29]


def test_each_has_its_name_its_date_and_what_to_do(certificates):
    certificates.seen(CertificateSeen("ca", END + DAY))
    with capture_logs() as logs:
        certificates.look(END - DAY)
    assert [(log["whose"], log["at"]) for log in logs] == [(NAMES["client"], "2027-03-01 12:00 UTC"), (NAMES["ca"], "2027-03-02 12:00 UTC")]
    assert "dfn.dfn_ca" in logs[1]["remedy"]


@pytest.mark.parametrize(
    ("days_left", "said"), [(7.1, []), (7, ["expires on 2027-03-01 12:00 UTC"]), (-1, ["expired on 2027-03-01 12:00 UTC"])]
)
def test_in_the_last_week_it_is_a_problem(certificates, days_left, said):
    found = list(certificates.problems(END - days_left * DAY))
    assert len(found) == len(said)
    assert all(
        text in sentence and sentence.startswith("Our certificate (dfn.dfn_cert) ") for text, sentence in zip(said, found, strict=True)
    )
