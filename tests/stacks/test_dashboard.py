"""The dashboard in a browser, over the store of a finished run: its steps, its report, and how it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stacks import dashboard
from tests.support.project_copy import Project

pytestmark = pytest.mark.slow

SECONDS = 120
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1500,1200",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
STEPS = (
    "load_rows",
    "check_rows",
    "split_rows",
    "train_1_logistic",
    "choose_challenger",
    "evaluate_challenger",
    "judge_challenger",
    "promote_challenger",
    "write_card",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project.copy(tmp_path_factory.mktemp("project"))
    done = made.run("--set", "models=[{kind: logistic}]", "--no-deploy")
    assert done.returncode == 0, done.stderr
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((dashboard.HOST, 0))
        return int(probe.getsockname()[1])


def start(project: Project, port: int) -> "subprocess.Popen[str]":
    """The dashboard as `make dashboard` starts it."""
    command, pipes = [sys.executable, "-m", "stacks.dashboard", "--port", str(port)], subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=project.folder, env=project.environment, text=True, stdout=pipes, stderr=pipes
    )
    assert process.stdout is not None and f"http://{dashboard.HOST}:{port}" in process.stdout.readline()
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            if httpx.get(f"http://{dashboard.HOST}:{port}/health", timeout=5).status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.5)
    pytest.fail("the dashboard did not start")


@pytest.fixture(scope="module")
def url(project: Project) -> Iterator[str]:
    """The address of a running dashboard; ends with Ctrl-C, and says nothing but that."""
    port = free_port()
    process = start(project, port)
    yield f"http://{dashboard.HOST}:{port}"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A fresh browser that reaches this machine only."""
    if not BROWSER or not DRIVER:
        pytest.skip("chromium and chromedriver are not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(SECONDS)
    yield driver
    driver.quit()


def text(browser: Any) -> str:
    return str(browser.execute_script("return document.body.innerText"))


def wait(browser: Any, until: Any) -> Any:
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, SECONDS, ignored_exceptions=[Exception]).until(until)


def click(browser: Any, xpath: str) -> None:
    """Click the last such element once it is there."""
    found = wait(browser, lambda b: b.find_elements("xpath", xpath))
    browser.execute_script(
        "for (const kind of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'])"
        " arguments[0].dispatchEvent(new MouseEvent(kind, {bubbles: true, button: 0}))",
        found[-1],
    )


def shoot(browser: Any, name: str) -> None:
    """A picture of what the test sees, where someone asks for pictures."""
    if folder := os.environ.get("CREDENCE_SCREENSHOTS"):
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def test_the_run_and_its_report(url: str, browser: Any) -> None:
    """Nobody is asked for a name or an e-mail; the run shows every step, and its report opens as it was written."""
    browser.get(url)
    wait(browser, lambda b: "Overview" in text(b))
    assert "/survey" not in browser.current_url
    run = httpx.get(f"{url}/api/v1/runs", params={"size": 1}).json()["items"][0]["id"]
    browser.get(f"{url}/projects/default/runs/{run}")
    wait(browser, lambda b: "write_card" in text(b))
    for step in STEPS:
        assert step in text(browser), step
    shoot(browser, "run")
    click(browser, "//*[text()='page']")
    click(browser, "//*[@role='dialog']//*[@role='tab'][normalize-space()='Visualization']")
    click(browser, "//button[normalize-space()='Load Preview']")
    frame = wait(browser, lambda b: b.find_element("tag name", "iframe"))
    browser.switch_to.frame(frame)
    report = wait(browser, lambda b: text(b))
    shoot(browser, "report")
    for words in ("Is this tumour malignant?", "There is no champion yet", "0.972", "log-loss"):
        assert words in report, words
    assert browser.find_elements("css selector", "svg, img"), "the report has no figure"


def test_the_model_version_has_its_figures(url: str) -> None:
    versions = httpx.get(f"{url}/api/v1/model_versions", params={"hydrate": True}).json()["items"]
    assert [v["body"]["stage"] for v in versions] == ["production"]
    assert versions[0]["metadata"]["run_metadata"]["verdict"] == "promote"


def test_a_port_in_use_is_one_sentence(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind((dashboard.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "stacks.dashboard", "--port", str(port)]
        done = subprocess.run(
            command, cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout) == (2, "")
    said = f"port {port} of 127.0.0.1 is in use; stop what listens there, or choose another --port."
    assert done.stderr == f"error: {said}\n"


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_number_that_is_no_port_is_not_free(port: int) -> None:
    assert not dashboard.free_port(port)
