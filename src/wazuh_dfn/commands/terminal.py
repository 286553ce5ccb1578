"""Where commands print: what is for people to read, and what is not their result."""

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
