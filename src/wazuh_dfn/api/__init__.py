"""The HTTP API: it tells how the daemon is, and changes nothing. Imported only where it is turned on."""
