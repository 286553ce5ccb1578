"""The daemon's health: one report, which the metrics, the HTTP API, the status page and `status` show."""
