"""Fixtures that many modules share."""

import pytest

from support.brokers import NoidaBroker
from support.daemon import TOPIC


@pytest.fixture
def broker(tmp_path):
    """Run a broker with an empty topic, for a test that stops it, or that counts all it has."""
    folder = tmp_path / "broker"
    folder.mkdir()
    with NoidaBroker(folder) as running:
        running.create_topic(TOPIC)
        yield running


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory):
    """Run one broker for a module, which may take it for its `broker`; a test that counts records makes a topic of its own."""
    with NoidaBroker(tmp_path_factory.mktemp("broker")) as running:
        running.create_topic(TOPIC)
        yield running
