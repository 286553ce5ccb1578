"""Who is answered: addresses, tokens, rates; and what the page may do in a browser."""

import base64
import hashlib
from ipaddress import ip_address, ip_network

import pytest

from wazuh_dfn.api.app import _page_policy
from wazuh_dfn.api.clients import client_address, counted_as, is_allowed, is_authorised, is_own_name
from wazuh_dfn.api.rate_limit import MOST_CLIENTS, RateLimit

TOKEN = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("::ffff:127.0.0.1", True),
        ("::1", False),
        ("192.0.2.77", True),
        ("192.0.3.77", False),
        ("2001:db8::77", True),
        ("fe80::1%eth0", True),
    ],
)
def test_the_allow_list_has_addresses_and_networks(host, allowed):
    networks = tuple(map(ip_network, ["127.0.0.1", "192.0.2.0/24", "2001:db8::/32", "fe80::/10"]))
    assert is_allowed(client_address(host), networks) == allowed


def test_what_is_no_address_is_nobody():
    assert client_address("/run/some.socket") is None
    assert client_address("") is None


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("", True),
        ("evil.example.org", False),
        ("evil.example.org:8080", False),
        ("localhost.evil.example.org", False),
        ("192.0.2.1", False),
        ("[::1", False),
        ("user@evil.example.org", False),
    ],
)
def test_only_names_of_this_machine_are_its_own(host, own):
    assert is_own_name(host) == own


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN} ", True),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        ("Bearer", False),
        ("Bearer ü", False),
        ("", False),
    ],
)
def test_the_token_is_the_whole_token(header, good):
    assert is_authorised(header, TOKEN) == good


def test_each_client_has_its_rate_until_the_window_is_over():
    limit = RateLimit(2, 60)
    assert [limit.seconds_to_wait("a", now) for now in (100, 110, 120)] == [0, 0, 40]
    assert limit.seconds_to_wait("b", 120) == 0
    assert limit.seconds_to_wait("a", 159.5) == 0.5
    assert [limit.seconds_to_wait("a", now) for now in (160, 160, 160)] == [0, 0, 60]


def test_memory_for_clients_has_an_end():
    limit = RateLimit(2, 60)
    waits = [limit.seconds_to_wait(str(number), 0) for number in range(MOST_CLIENTS + 5)]
    assert waits[MOST_CLIENTS:] == [60] * 5
    assert not any(waits[:MOST_CLIENTS])
    assert limit.seconds_to_wait("1", 0) == 0


def test_an_ipv6_site_counts_as_one_client():
    assert counted_as(ip_address("2001:db8::1")) == counted_as(ip_address("2001:db8::ffff:1"))
    assert counted_as(ip_address("2001:db8::1")) != counted_as(ip_address("2001:db8:0:1::1"))
    assert counted_as(ip_address("192.0.2.1")) != counted_as(ip_address("192.0.2.2"))


def test_the_page_may_run_what_stands_in_it_and_nothing_else():
    script, style = "\nlet a = '<b>';\n", "p { color: red }"
    policy = _page_policy(f"<style>{style}</style><script>{script}</script>")
    for text, directive in ((script, "script-src"), (style, "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
