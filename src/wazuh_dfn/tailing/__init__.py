"""Reading what Wazuh writes: a registry of files, the choice of the next file, and the position in each."""
