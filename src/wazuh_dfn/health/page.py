"""The status page at `/`: it holds no data, and asks `/health/detailed` for all that it shows."""


def page_html() -> str:
    """Return the page."""
    return '<!doctype html><title>wazuh-dfn</title><p><a href="/health/detailed">/health/detailed</a></p>\n'
