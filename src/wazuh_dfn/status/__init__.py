"""`wazuh-dfn status`: fetches the health report of a running daemon and shows it in the terminal."""
