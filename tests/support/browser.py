"""Headless Chromium, driven by the chromedriver of the same Debian package."""

import shutil
import time
from contextlib import contextmanager

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By

_ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


@contextmanager
def chromium(profile):
    """Run a browser with a profile of its own in the folder `profile`; skips the test if there is no Chromium."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("Chromium is not here: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def set_width(chrome, width, height=900):
    """Make the window's inside so wide, in CSS pixels, as a phone's or a desktop's is."""
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    )


def set_scheme(chrome, scheme):
    """Prefer "light" or "dark"."""
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})


class BrowserPage:
    """What a test asks of the page in the browser."""

    def __init__(self, chrome):
        self.chrome = chrome

    def all(self, selector):
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        """Return the texts of all such elements at one moment: a redraw replaces them."""
        return self.chrome.execute_script("return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)", selector)

    def attributes(self, selector, name):
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.getAttribute(arguments[1]))"
        return self.chrome.execute_script(script, selector, name)

    def text(self, name):
        return self.chrome.find_element(By.ID, name).text

    def wait_for(self, selector):
        self.wait_until(lambda: self.all(selector), selector)

    def wait_until(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, f"{what}: {self.chrome.find_element(By.TAG_NAME, 'body').text}"
            time.sleep(0.02)

    def complaints(self):
        """What the console says, but for the HTTP status of answers."""
        return [entry for entry in self.chrome.get_log("browser") if entry["source"] != "network"]
