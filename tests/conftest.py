"""Fixtures that many modules share. Generated examples are the same in every run; HYPOTHESIS_PROFILE=default looks for new ones."""

import os

import pytest
from hypothesis import settings

from support.brokers import NoidaBroker
from support.daemon import TOPIC

settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


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
