"""Which alerts are forwarded (kinds/CONTRACT.md, "Selected alerts")."""

from ipaddress import ip_network

import pytest
from hypothesis import given

from support.alerts import fail2ban_alert, odd_alerts, ordinary_alert, windows_alert
from wazuh_dfn.config.event_ids import DEFAULT_EVENT_IDS
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.kinds.fail2ban import Bans
from wazuh_dfn.kinds.windows import EventIds, Windows

EVENTS, BANS = EventIds(DEFAULT_EVENT_IDS), Bans()
OWN = Bans((ip_network("8.8.8.0/24"), ip_network("2001:4860::/32")))


def test_the_default_event_ids_are_those_of_the_contract():
    assert set("4625 4719 4964 1102 4794 4724 3697 4697 4702 4698 4672 4720 1100".split()) == DEFAULT_EVENT_IDS  # noqa: SIM905


@pytest.mark.parametrize("event_id", sorted(DEFAULT_EVENT_IDS))
def test_a_windows_event_is_selected_by_its_id_alone(event_id):
    assert EVENTS.selects(windows_alert(eventID=event_id))
    assert EVENTS.selects(windows_alert(eventID=event_id, channel="Application"))
    assert EVENTS.selects({"data": {"win": {"system": {"eventID": event_id}}}})


@pytest.mark.parametrize("event_id", ["4625", " 4625 ", "4625\n", 4625, 4625.0])
def test_the_event_id_can_be_a_text_or_a_number(event_id):
    assert EVENTS.selects(windows_alert(eventID=event_id))


@pytest.mark.parametrize("event_id", ["4624", "46250", "", None, True, 4625.5, -4625, float("inf"), [4625], {"4625": 1}])
def test_other_event_ids_are_not_selected(event_id):
    assert not EVENTS.selects(windows_alert(eventID=event_id))


def test_an_integer_too_long_to_print_is_no_event_id():
    assert not EVENTS.selects(windows_alert(eventID=10**5000))


def test_the_list_of_event_ids_is_a_setting():
    events = EventIds(frozenset({"4768"}))
    assert events.selects(windows_alert(eventID="4768"))
    assert not events.selects(windows_alert(eventID="4625"))


def test_fail2ban_is_selected_by_program_group_and_address():
    assert BANS.selects(fail2ban_alert())


@pytest.mark.parametrize("program", ["fail2ban", "fail2ban.filter", "Fail2ban.actions", None, ["fail2ban.actions"]])
def test_other_programs_are_not_selected(program):
    assert not BANS.selects(fail2ban_alert(program_name=program))


@pytest.mark.parametrize(
    ("groups", "selected"),
    [
        (["fail2ban"], True),
        ([None, {"a": 1}, "fail2ban"], True),
        ("fail2ban", True),
        (["syslog", " fail2ban"], True),
        (["\n  fail2ban\r\n"], True),
        ("syslog,fail2ban,", True),
        (["syslog"], False),
        ([["fail2ban"]], False),
        ("no-fail2ban", False),
        ("", False),
        (None, False),
        ({"fail2ban": 1}, False),
    ],
)
def test_the_group_must_be_among_the_rules_groups_which_may_be_a_single_text(groups, selected):
    assert BANS.selects(fail2ban_alert() | {"rule": {"groups": groups}}) is selected


@pytest.mark.parametrize("srcip", ["", "  ", None, [], {}])
def test_without_an_address_nothing_is_selected(srcip):
    assert not BANS.selects(fail2ban_alert(srcip=srcip))
    alert = fail2ban_alert()
    del alert["data"]["srcip"]
    assert not BANS.selects(alert)


@pytest.mark.parametrize("srcip", ["10.0.0.1", "8.8.8.8", "no address", 17, ["10.0.0.1"]])
def test_without_own_networks_any_address_will_do(srcip):
    assert BANS.selects(fail2ban_alert(srcip=srcip))


@pytest.mark.parametrize("srcip", ["8.8.4.4", " 8.8.4.4 ", "2a00:1450::1", "::ffff:8.8.4.4"])
def test_with_own_networks_foreign_global_addresses_are_selected(srcip):
    assert OWN.selects(fail2ban_alert(srcip=srcip))


@pytest.mark.parametrize("srcip", ["8.8.8.8", "2001:4860::8888", "::ffff:8.8.8.8", "::FFFF:808:808"])
def test_addresses_in_any_of_the_own_networks_are_ignored(srcip):
    assert not OWN.selects(fail2ban_alert(srcip=srcip))


@pytest.mark.parametrize("srcip", ["10.1.2.3", "192.0.2.2", "127.0.0.1", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1"])
def test_with_own_networks_addresses_that_are_not_global_are_ignored(srcip):
    assert not OWN.selects(fail2ban_alert(srcip=srcip))


@pytest.mark.parametrize("srcip", ["host.example.org", "8.8.4.4:22", "8.8.4", "[2a00:1450::1]", 134743044, True, ["8.8.4.4"]])
def test_with_own_networks_what_is_no_address_is_ignored(srcip):
    assert not OWN.selects(fail2ban_alert(srcip=srcip))


def test_an_own_network_given_in_ipv6_form_covers_the_ipv4_mapped_addresses():
    own = Bans((ip_network("::ffff:8.8.8.0/120"),))
    assert not own.selects(fail2ban_alert(srcip="::ffff:8.8.8.8"))


def test_an_alert_can_be_both():
    alert = fail2ban_alert(win={"system": {"eventID": "4625"}})
    assert EVENTS.selects(alert)
    assert BANS.selects(alert)


def test_an_ordinary_alert_is_neither():
    assert not EVENTS.selects(ordinary_alert())
    assert not BANS.selects(ordinary_alert())


@given(odd_alerts)
def test_selecting_never_raises(alert):
    for rule in (EVENTS, BANS, OWN):
        assert isinstance(rule.selects(alert), bool)


@pytest.mark.parametrize(
    ("given", "selected"),
    [("Security", True), ("SECURITY", True), ("Application", False), ("", False), (None, False), (7, False), ([], False)],
)
def test_where_the_site_names_channels_others_are_not_forwarded(given, selected):
    settings = Settings.model_validate({"wazuh": {"windows_channels": "security, ForwardedEvents"}})
    assert Windows().rule(settings).selects(windows_alert(channel=given)) is selected


def test_a_channel_that_is_missing_is_none_of_those_that_the_site_names():
    assert not EventIds(DEFAULT_EVENT_IDS, frozenset({"security"})).selects({"data": {"win": {"system": {"eventID": "4625"}}}})
