"""The commands. Each reads arguments, calls a lower layer and prints. `cli.py` registers them."""
