"""The actors, one file each; they know the world by the protocols of `delivery.ports` alone."""
