"""`python -m wazuh_dfn` is the same as `wazuh-dfn`."""

from wazuh_dfn.cli import main

main()
