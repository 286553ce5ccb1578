"""Consoles of the commands: `out` for text for people, `errors` for everything that is not the result."""

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
