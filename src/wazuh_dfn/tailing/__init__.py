"""Reading what Wazuh writes: a registry of files, what to read next, and how far each was read."""
