"""Lines of alert files: which are worth parsing, and which alerts they hold.

Pure functions without I/O, clock or logging.
"""
