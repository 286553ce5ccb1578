"""The actors, one file each (the tailer's way from file to file: `reading`, `resuming`, `following`); they know the world by the protocols of `delivery.ports` alone."""
