"""Fixtures that many modules share. Generated examples are the same in every run; HYPOTHESIS_PROFILE=default looks for new ones."""

import logging
import os

import pytest
import structlog
from hypothesis import settings

from support.brokers import NoidaBroker, TansuBroker
from support.certs import make_certificates
from support.daemon import TOPIC
from support.tls_proxy import TlsProxy

settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(autouse=True)
def logs_as_before():
    """Undo what a command sets up for its process: later tests would log through it, and pytest keeps that in memory."""
    root, structlog_config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**structlog_config)


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Make a module's certificates, for `localhost`."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def proxy(certificates):
    """Run a broker with an empty topic behind a proxy that speaks TLS and wants the client's certificate."""
    with TlsProxy(certificates.server_context()) as running, TansuBroker(advertised=running.address) as broker:
        running.upstream = broker.bootstrap
        broker.create_topic(TOPIC)
        yield running
