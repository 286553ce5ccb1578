"""Exit codes that scripts and systemd can go by."""

OK = 0
FAILED = 1
"""The daemon gave up, a command met lines that it could not read or deliver, or `check` found a failure."""
USAGE = 2
"""The command line or the configuration is wrong; starting again will not help."""
STOPPED_AT_ONCE = 130
"""A second signal, or a first one that ended a command early; what was not settled is sent again at the next start."""
