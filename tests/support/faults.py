"""Actors that crash at a moment of their own choosing, whatever they are doing then."""

from dataclasses import replace

import anyio


class InjectedCrashError(Exception):
    """Raised beside the actor, so that it dies at whichever await it is in."""


def crash_some_lives(spec, random, *, lives, longest_seconds):
    """Return the spec with a body that crashes in each of its first `lives` lives, after a random time below `longest_seconds`."""
    left = iter(range(lives))

    async def body(lifeline):
        async with anyio.create_task_group() as tasks:
            if next(left, None) is not None:
                tasks.start_soon(crash_later)
            await spec.body(lifeline)
            tasks.cancel_scope.cancel()

    async def crash_later():
        await anyio.sleep(random.uniform(0, longest_seconds))
        raise InjectedCrashError(spec.name)

    return replace(spec, body=body)
