"""Forwards the security-relevant alerts of a Wazuh manager to the DFN-CERT security operations centre."""
