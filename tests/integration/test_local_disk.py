"""The real disk's threads."""

import threading

import anyio
import pytest

from wazuh_dfn.adapters.local_disk import LocalDisk

pytestmark = [pytest.mark.integration, pytest.mark.anyio]


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_calls_that_hang_take_no_thread_from_looking_up_host_names():
    disk, answer = LocalDisk(), threading.Event()
    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(disk.run, answer.wait)
            await anyio.sleep(0.05)
            with anyio.fail_after(5):
                assert await anyio.getaddrinfo("localhost", 9092)
            tasks.cancel_scope.cancel()
    finally:
        answer.set()
