"""How often what happens in simulated worlds."""

RATES = {
    # a step of the writer
    "next_day": 0.05,
    "roll": 0.05,
    "copytruncate": 0.03,
    "restore": 0.02,
    "hide": 0.02,
    "writer_crash": 0.05,
    # a call of the daemon
    "read_error": 0.002,
    "read_hangs": 0.0005,
    "write_error": 0.01,
    "kill_in_write": 0.01,
    "interleave": 0.05,
    "connect_fails": 0.1,
    "connect_hangs": 0.01,
    "deliver_fails": 0.05,
    "deliver_hangs": 0.005,
    "cut_off": 0.03,
    "answer_lost": 0.03,
    "answer_hangs": 0.005,
    "close_hangs": 0.05,
    "needs_operator": 0.2,
    "refused": 1.0,
    # the weather
    "clock_jump": 0.2,
    "outage": 0.3,
    "slow": 0.1,
    # a step of an actor
    "crash_actor": 0.004,
    "kill": 0.0005,
    "power_cut": 0.0003,
    # a call of the feedback
    "feedback_absent": 0.3,
    "feedback_fails": 0.1,
    "feedback_hangs": 0.02,
    "feedback_crashes": 0.02,
}

NEW_RATES = {
    # a step of the writer
    "clock_back": 0.04,
    "writer_restart": 0.08,
    "writer_disk_full": 0.04,
    "quiet_midnight": 0.08,
    "logrotate_create": 0.08,
    "gzip_numbered": 0.08,
    "delete_numbered": 0.01,
    "foreign_files": 0.03,
    "line_near_limit": 0.1,
    # a call of the daemon
    "stale": 0.0005,
    # between two lives of the daemon
    "device_change": 0.15,
    # a world: whether it is so in it
    "symlink": 0.3,
    "real_monitord": 0.7,
    "coarse_times": 0.3,
    "forgetful": 0.4,
    "holes": 0.5,
    "stormy": 0.25,
    "other_names": 0.6,
    "other_compression": 0.5,
    "delaycompress": 0.3,
    "undated": 0.2,
}
"""Troubles that are on only where `SimulatedWorld` is told so."""
TRAITS = {
    *("symlink", "real_monitord", "coarse_times", "forgetful", "holes", "stormy"),
    *("other_names", "other_compression", "delaycompress", "undated"),
}
"""Drawn once for each world."""
ON = frozenset(NEW_RATES)
"""Which of the new ones are on if nothing else is asked for: `frozenset(NEW_RATES)` turns on all."""
QUIET_NIGHTS_EVERY = 8
QUIET_NIGHTS = {"quiet_midnight": 0.3, "outage": 0.9, "slow": 0.3, "kill": 0.0, "power_cut": 0.0}
"""Of one world in so many: files lose their names while nobody takes what is read, and nothing else excuses what is lost with them."""
