"""What most tests on real files and sockets need."""

import pytest

from support.site import site_in


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def site(tmp_path):
    """A Wazuh that writes to the test's folder, and the tailing of it."""
    with site_in(tmp_path) as site:
        yield site
