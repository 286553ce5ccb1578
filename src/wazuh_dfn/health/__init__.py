"""What the daemon tells about its own state: one report, and the metrics, the HTTP API, the status page and `status` that show it."""
