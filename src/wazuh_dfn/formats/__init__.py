"""The formats: which alerts are forwarded and what becomes of them. Pure functions: no I/O, no clock, no logging."""
