"""What makes the promise true: the ledger, and the protocols towards what is durable; and how delivery, checkpoint and feedback stand."""
