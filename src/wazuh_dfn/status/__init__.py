"""`wazuh-dfn status`: asks a running daemon for its health report and shows it in the terminal."""
