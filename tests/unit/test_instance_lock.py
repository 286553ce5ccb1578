"""The lock beside a checkpoint: who has it, and that asking for it keeps nobody from taking it."""

import fcntl
import os
import time

from wazuh_dfn.storage.instance_lock import exclusive_use, holder, lock_file


def test_the_holder_is_named_as_long_as_it_holds_and_asking_leaves_no_file(tmp_path):
    checkpoint = tmp_path / "checkpoint.json"
    assert holder(checkpoint) is None
    assert list(tmp_path.iterdir()) == []
    with exclusive_use(checkpoint):
        assert holder(checkpoint) == str(os.getpid())
    assert holder(checkpoint) is None


def test_a_daemon_that_starts_while_somebody_asks_does_not_give_up(tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint.json"
    with lock_file(checkpoint).open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(asking, fcntl.LOCK_UN))
        with exclusive_use(checkpoint):
            assert holder(checkpoint) == str(os.getpid())
