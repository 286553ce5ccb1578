"""`wazuh-dfn check`: finds out, before and after install, what would go wrong. Nothing is changed, and nothing sent without `--send-test`."""
