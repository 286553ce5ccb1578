"""Lines of alert files: which are worth a look, what stands on them, whole or torn. Pure functions: no I/O, no clock, no logging."""
