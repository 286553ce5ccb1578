"""Delivery to Kafka: the actor, the broker connection, and the diagnosis of connection faults."""
