"""Ends actors, the process and the host, at any step of any actor."""

from contextlib import suppress
from dataclasses import replace

import anyio
import trio

from simulation.world import ViolationError


class InjectedCrashError(Exception):
    """An actor dies at the await in which it is."""


class Crashes(trio.abc.Instrument):
    """Counts the steps of the actors, and lets one of them be the last: of the actor, of the process, or of the host."""

    def __init__(self):
        self.world = None
        self.process = None
        self.pipeline = None
        self.scopes = {}

    def before_task_step(self, task):
        if task.name in self.scopes and self.process.alive:
            with suppress(
                ViolationError
            ):  # it ends the run by itself; an instrument that raises would be dropped by trio, with a traceback
                self.world.oracle.check_bounds(self.pipeline)
            if self.world.happens("crash_actor"):
                self.world.note(f"crash of {task.name}")
                self.process.hinder(60)
                self.scopes[task.name].cancel()
            if self.world.happens("kill"):
                self.process.kill("kill -9")
            if self.world.happens("power_cut"):
                self.process.kill("power cut")
                self.process.power_cut = True

    def expose(self, spec):
        """Return the spec with a body that this can crash."""

        async def body(lifeline):
            with anyio.CancelScope() as scope:
                self.scopes[spec.name] = scope
                await spec.body(lifeline)
            if scope.cancel_called:
                raise InjectedCrashError(spec.name)

        return replace(spec, body=body)
