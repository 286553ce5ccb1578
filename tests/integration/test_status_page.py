"""The status page in a real browser, under the Content-Security-Policy that the API sends."""

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from support.browser import BrowserPage, chromium, set_scheme, set_width
from support.health_reports import healthy, history, just_started, unhealthy
from support.scripted_api import ScriptedApi
from wazuh_dfn.status.formatting import told_bytes

pytestmark = pytest.mark.integration

LOWEST_CONTRAST = 4.5
"""WCAG 2.2 level AA, for text of usual size."""

CONTRASTS = """
const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = (rgb) => rgb.slice(0, 3).map((part) => part / 255)
  .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
const ground = (each) => {
  for (; each; each = each.parentElement) {
    const colour = parse(getComputedStyle(each).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const holder = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !holder.checkVisibility() || ["SCRIPT", "NOSCRIPT"].includes(holder.tagName)) continue;
  const style = getComputedStyle(holder);
  const both = [luminance(parse(holder.closest("svg") ? style.fill : style.color)), luminance(ground(holder))].sort((a, b) => b - a);
  found.push([walker.currentNode.textContent.trim(), (both[0] + 0.05) / (both[1] + 0.05)]);
}
return found;
"""


class Page(BrowserPage):
    def __init__(self, chrome, api):
        super().__init__(chrome)
        self.api = api

    def open(self, report, *, width=1200, ready="#report:not([hidden])"):
        self.api.report, self.api.status, self.api.token = report, None, None
        set_width(self.chrome, width)
        self.chrome.get("about:blank")
        self.chrome.get_log("browser")
        self.chrome.get(self.api.url)
        self.wait_for(ready)
        return self

    def ask_now(self):
        """Have it ask for the report as it does when its tab is looked at again."""
        self.chrome.execute_script("document.dispatchEvent(new Event('visibilitychange'))")

    def overflow(self):
        return self.chrome.execute_script("return document.documentElement.scrollWidth - innerWidth")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as chrome, ScriptedApi(healthy()) as api:
        yield Page(chrome, api)


def test_everything_of_a_healthy_report_is_shown_and_nothing_is_fetched_from_elsewhere(page):
    page.open(healthy())
    shown = {
        "version": "1.0.0",
        "process": "up 3 d 4 h, 85.2 MiB of memory",
        "verdict-word": "Healthy",
        "lines_read": "1,234,567",
        "not_relevant": "1,200,000",
        "delivered": "34,001",
        "dead_lettered": "2",
        "in_flight": "564",
        "balance": "balanced",
        "delivery-state": "connected",
        "acknowledgement": "0.4 s ago",
        "delay-median": "1.2 s",
        "delay-p95": "3.9 s",
        "batch": "24 ms",
        "certificates": "client until 2027-03-14, broker until 2028-03-14",
        "file": "/var/ossec/logs/alerts/alerts.json",
        "read-to": "46.1 MiB",
        "lag": "0 B",
        "lag-tag": "up to date",
        "checkpoint-tag": "7.81 KiB behind",
        "saved": "0.6 s ago",
        "unsettled": "116 KiB",
        "feedback-state": "connected",
        "feedback-sent": "12",
    }
    assert {name: page.text(name) for name in shown} == shown
    assert page.text("read-to") == told_bytes(page.api.report.reading.read_to), "as in the terminal"
    assert page.texts("#actors tr:nth-child(5) > *") == ["kafka", "running", "0"]
    assert page.texts("#mailboxes .number") == ["1 of 8", "0 of 8", "0 of 8", "3 of 8", "0 of 8"]
    assert page.attributes("#mailboxes .filled", "width") == ["12.5", "0", "0", "37.5", "0"]
    assert page.chrome.title == "Healthy · wazuh-dfn"
    assert not page.chrome.find_element(By.ID, "problems").is_displayed()
    loaded = page.chrome.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert {name for name in loaded if not name.startswith("data:")} == {f"{page.api.url}/health/detailed"}
    assert page.complaints() == []


def test_it_asks_again_by_itself(page):
    page.open(healthy())
    page.api.report = healthy(status="degraded", problems=("Look at it.",))
    page.wait_until(lambda: page.text("verdict-word") == "Degraded", "the new verdict")
    assert page.text("problems") == "Look at it."


def test_the_plot_has_every_point_axes_and_a_legend_with_the_values_under_the_pointer(page):
    page.open(healthy(history=history(90)))
    assert [len(points.split()) for points in page.attributes("#plot polyline", "points")] == [90, 90, 90]
    assert page.text("plot-span") == "over the last hour"
    axes = page.texts("#plot .axis")
    assert {"0", "240", "lines per second", "time of day, as of this browser"} <= set(axes)
    assert sum(":" in label for label in axes) >= 3
    points = page.api.report.history
    assert [page.text(f"rate-{key}") for key in ("lines_read", "delivered", "dead_lettered")] == [
        f"{points[-1].lines_read:.0f}/s", f"{points[-1].delivered:.1f}/s", "0/s",
    ]  # fmt: skip
    ActionChains(page.chrome).move_to_element_with_offset(page.chrome.find_element(By.ID, "plot"), -100, 0).perform()
    assert page.texts("#legend dt")[-1] == "at"
    assert page.text("rate-at") in {f"{point.at.astimezone():%H:%M:%S}" for point in points[:-1]}
    assert len(page.all("#cursor circle")) == 3
    page.chrome.execute_script("document.getElementById('picture').focus()")
    ActionChains(page.chrome).send_keys(Keys.HOME).perform()
    assert page.text("rate-lines_read") == f"{points[0].lines_read:.0f}/s"
    asked = len(page.api.asked)
    page.ask_now()
    page.wait_until(lambda: len(page.api.asked) > asked, "it asks")
    ActionChains(page.chrome).send_keys(Keys.ARROW_RIGHT).perform()
    assert page.text("rate-lines_read") == f"{points[1].lines_read:.0f}/s", "the choice outlives a redraw"


def test_without_history_the_plot_says_so(page):
    page.open(just_started())
    assert page.chrome.find_element(By.ID, "plot-empty").is_displayed()
    assert page.all("#plot polyline") == []
    assert page.text("file") == "-"
    assert page.complaints() == []


def test_of_an_unhealthy_report_every_problem_is_told_and_texts_stay_texts(page):
    page.open(unhealthy())
    assert page.text("verdict-word") == "Unhealthy"
    problems = [item.get_attribute("textContent") for item in page.all("#problems li")]
    assert tuple(problems) == page.api.report.problems
    assert page.all("main img, main script") == []
    assert page.chrome.title == "Unhealthy · wazuh-dfn"
    assert page.text("balance") == "not balanced"
    assert page.text("delivery-problem") == "TLS: certificate expired"
    assert page.text("unnamed").startswith("1 MiB")
    assert page.text("checkpoint-problem") == "No space left on device: free some space."
    assert page.text("unsettled") == "-", "the positions are in different files"
    assert "last failed 1 min 35 s ago: BrokerUnavailableError: <script>" in page.text("actors")
    assert page.complaints() == []


def test_a_token_is_asked_for_kept_for_the_tab_and_refused_if_it_is_wrong(page):
    page.open(healthy())
    page.api.token = "let-me-in"
    page.chrome.refresh()
    page.wait_for("#token-form:not([hidden])")
    assert not page.chrome.find_element(By.ID, "report").is_displayed()
    field = page.chrome.switch_to.active_element
    assert field.get_attribute("id") == "token"
    field.send_keys("guess", Keys.ENTER)
    page.wait_until(lambda: page.text("token-refused") == "The token was refused.", "the refusal")
    field.send_keys("let-me-in", Keys.ENTER)
    page.wait_for("#report:not([hidden])")
    assert not page.chrome.find_element(By.ID, "token-form").is_displayed()
    page.chrome.refresh()
    page.wait_for("#report:not([hidden])")
    assert page.complaints() == []
    page.chrome.execute_script("sessionStorage.clear()")


def test_when_the_daemon_is_gone_what_is_shown_looks_old_and_says_how_old(page):
    page.open(healthy())
    page.api.stop()
    try:
        page.ask_now()
        page.wait_for("body.stale #notice:not([hidden])")
        assert "does not answer" in page.text("notice-text")
        assert page.text("verdict-word") == "Unknown"
        assert "last known state is healthy" in page.text("verdict-meaning")
        assert page.text("lines_read") == "1,234,567", "the last that is known"
        age = page.text("notice-age")
        assert age.startswith("This report is ")
        page.wait_until(lambda: page.text("notice-age") != age, "the age grows")
    finally:
        page.api.start()
    page.ask_now()
    page.wait_for("body:not(.stale)")
    assert page.text("verdict-word") == "Healthy"
    assert page.text("notice") == ""


@pytest.mark.parametrize(("status", "told"), [(403, "allowed_ips"), (429, "rate_limit"), (502, "HTTP status 502")])
def test_other_answers_are_told(page, status, told):
    page.open(healthy())
    page.api.status = status
    page.ask_now()
    page.wait_until(lambda: told in page.text("notice-text"), told)


@pytest.mark.parametrize("report", [healthy, unhealthy, just_started])
def test_on_a_phone_nothing_has_to_be_scrolled_sideways(page, report):
    page.open(report(), width=380)
    assert page.overflow() <= 0
    assert page.chrome.execute_script("return innerWidth") == 380


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("report", [healthy, unhealthy])
def test_all_text_has_enough_contrast(page, scheme, report):
    set_scheme(page.chrome, scheme)
    page.open(report())
    contrasts = page.chrome.execute_script(CONTRASTS)
    assert len(contrasts) > 60
    assert [(text, ratio) for text, ratio in contrasts if ratio < LOWEST_CONTRAST] == []
