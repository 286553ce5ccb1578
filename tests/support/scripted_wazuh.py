"""Wazuh's queue in memory: each call does what the script says, at the virtual time at which it says it."""

import trio

from wazuh_dfn.errors import WazuhUnavailableError

ABSENT = WazuhUnavailableError("the socket does not exist", is_absent=True)
GONE = WazuhUnavailableError("no process listens on it")


class ScriptedWazuh:
    """Implements `WazuhSocket`. `connects` and `sends` are what the next calls do: an exception, seconds to take, or None to work.

    A message takes `blocked_seconds` in which nothing else runs, as a call of the operating system does.
    """

    def __init__(self, *, connects=(), sends=(), blocked_seconds=0):
        self.blocked_seconds = blocked_seconds
        self.connects = list(connects)
        self.sends = list(sends)
        self.taken = []
        self.tries = []
        self.opened = self.closed = 0
        self.began = trio.current_time()

    async def connect(self):
        self.tries.append(round(trio.current_time() - self.began, 3))
        await self._follow(self.connects)
        self.opened += 1
        return ScriptedConnection(self)

    async def _follow(self, script):
        step = script.pop(0) if script else None
        if step is None:
            return
        await trio.lowlevel.checkpoint()
        if isinstance(step, BaseException):
            raise step
        await trio.sleep(step)

    def times(self):
        return [time for time, _ in self.taken]

    def messages(self):
        return [message for _, message in self.taken]


class ScriptedConnection:
    def __init__(self, wazuh):
        self._wazuh = wazuh
        self._is_broken = False

    async def send(self, message):
        assert not self._is_broken, "a connection was used again after an error"
        self._is_broken = True
        await self._wazuh._follow(self._wazuh.sends)
        trio.lowlevel.current_clock().jump(self._wazuh.blocked_seconds)
        self._is_broken = False
        self._wazuh.taken.append((round(trio.current_time() - self._wazuh.began, 3), message))

    async def aclose(self):
        self._wazuh.closed += 1
