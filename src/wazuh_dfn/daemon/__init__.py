"""The daemon: real files and a real broker, as a service that signals stop and reload."""
