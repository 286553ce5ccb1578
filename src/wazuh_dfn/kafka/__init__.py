"""The delivery to Kafka: the actor, the connection that knows when it is broken, and why it is."""
