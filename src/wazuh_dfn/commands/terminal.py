"""Where commands print what is not their result."""

from rich.console import Console

errors = Console(stderr=True, highlight=False, soft_wrap=True)
