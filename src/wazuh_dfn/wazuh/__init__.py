"""Feedback to Wazuh about deliveries and errors, through its queue socket."""
