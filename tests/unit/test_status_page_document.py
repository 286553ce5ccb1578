"""What the status page must be so that a Content-Security-Policy can allow it and nothing else."""

import re
from html.parser import HTMLParser

from wazuh_dfn.health.page import page_html


def test_it_has_one_style_and_one_script_inline_and_names_nothing_elsewhere():
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    page = page_html()
    Tags().feed(page)
    for name in ("style", "script"):
        assert [attributes for tag, attributes in tags if tag == name] == [{}]
    names = {name for _, attributes in tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"style", "src", "action"}}
    assert [attributes["href"] for _, attributes in tags if "href" in attributes] == ["data:,"]
    assert set(re.findall(r"https?://[^\s'\"]+", page)) == {"http://www.w3.org/2000/svg"}, "a name, not an address"
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|url\(|@import", page)
