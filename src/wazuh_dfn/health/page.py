"""The status page: one self-contained HTML document without data of its own."""

from __future__ import annotations

from importlib.resources import files

_SCRIPTS = ("words.js", "elements.js", "plot.js", "parts.js", "page.js")


def page_html() -> str:
    """Return the page, with exactly one inline style and one inline script, whose hashes a Content-Security-Policy can list.

    The script requests `health/detailed`, relative to the page. After a 401 response it asks for a bearer token in a form. It needs
    `connect-src 'self'` and, for its icon, `img-src data:`.
    """
    web = files(__package__) / "web"
    script = "".join((web / name).read_text("utf-8") for name in _SCRIPTS)
    page = (web / "page.html").read_text("utf-8")
    style = (web / "page.css").read_text("utf-8")
    return page.replace("<style></style>", f"<style>{style}</style>").replace("<script></script>", f"<script>{script}</script>")
