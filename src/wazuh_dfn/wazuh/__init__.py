"""What Wazuh is told of what was delivered, through its queue socket."""
