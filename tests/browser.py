"""A real headless Chromium, for tests of the report. On Debian as root it is installed; elsewhere they are skipped."""

from collections.abc import Iterator
import os
from pathlib import Path
import shutil
import subprocess
import time

from filelock import FileLock
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1440,1000"),
)


def _programs() -> tuple[str, str]:
    browser = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
    driver = shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    if os.geteuid() or shutil.which("apt-get") is None:
        pytest.skip("needs chromium and chromedriver, which can be installed by root on Debian alone")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    packages = ["chromium", "chromium-driver"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=environment, **quiet)
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("chromium cannot be installed here")
    return _programs()


class Browser:
    """A page as its reader sees it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path) -> float:
        """Open a page of the report from disk and wait until it is drawn. Returns the seconds that took."""
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        start = time.monotonic()
        self.driver.get(path.as_uri())
        self.wait("return document.body.dataset.ready === 'yes'")
        return time.monotonic() - start

    def wait(self, script: str, seconds: float = 180) -> object:
        """The first true value of a script."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.driver.execute_script(script):
                return found
            time.sleep(0.05)
        pytest.fail(f"waited {seconds} s for: {script}; {self.errors()}")
        return None

    def run(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)

    def errors(self) -> list[str]:
        """What the page complained about."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """The addresses that were asked for, but for the page itself and what it holds."""
        import json

        messages = (json.loads(line["message"])["message"] for line in self.driver.get_log("performance"))
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("file:", "data:", "blob:"))]

    def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def launch(profile: Path) -> webdriver.Chrome:
    """Start the browser, with a profile of its own."""
    browser, program = _programs()
    options = Options()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(program))
    # axe-core goes over a whole page, on machines that do other things too.
    driver.set_script_timeout(300)
    driver.command_executor.client_config.timeout = 400
    return driver


@pytest.fixture(scope="session")
def chromium(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with FileLock(shared / "packages.lock"):
        driver = launch(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Browser:
    made = Browser(chromium)
    made.resize(1440, 1000)
    return made
