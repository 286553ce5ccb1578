"""The actors between tailer and broker, one file each; they know the world by the protocols of `delivery.ports` alone."""
