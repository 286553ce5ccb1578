"""The daemon: the pipeline on real files and a real broker, as a service that handles the signals for stop and reload."""
