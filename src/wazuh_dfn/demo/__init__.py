"""`wazuh-dfn demo`: the delivery of alerts on an embedded broker."""
