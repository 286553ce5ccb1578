"""Exit codes for scripts and systemd."""

OK = 0
FAILED = 1
"""The daemon gave up, a command met lines that it could not read or deliver, `check` found a failure, or `status` is not healthy."""
USAGE = 2
"""The command line or the configuration is wrong, and a restart does not help."""
NO_REPORT = 3
"""`status` could not get a report from the daemon."""
STOPPED_AT_ONCE = 130
"""A second signal, or a first one that ended a command early. What was not settled is sent again at the next start."""
