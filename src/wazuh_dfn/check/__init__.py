"""`wazuh-dfn check`: diagnoses an installation before and after it goes live.

It changes nothing, and sends nothing without `--send-test`.
"""
