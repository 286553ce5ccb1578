"""The commands: each a few lines that read arguments, call something below and print; `cli.py` puts them together."""
