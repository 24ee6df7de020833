"""The page in a real browser: quiet, offline, readable on a phone, usable by keyboard."""

import json
import shutil
import time

import pytest

from aurora_prep.manifest import Manifest

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="to run this test: pip install --editable '.[dev]'"
)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,900",
)  # fmt: skip
SIZES = {"phone": (360, 740), "large phone": (390, 844), "desktop": (1280, 900)}
LUMINANCE = """
    const lum = c => c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const solid = e => {
        const colour = getComputedStyle(e).backgroundColor;
        return colour === "rgba(0, 0, 0, 0)" ? solid(e.parentElement) : colour;
    };
    const low = [];
    let count = 0;
    for (const e of document.querySelectorAll("main *, header *, nav *")) {
        const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!own || !e.checkVisibility() || e.closest("svg")) continue;
        count += 1;
        const pair = [lum(getComputedStyle(e).color), lum(solid(e))].sort((a, b) => b - a);
        const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (ratio < 4.5) low.push([e.tagName, e.className, e.textContent.slice(0, 30), ratio]);
    }
    return [low, count];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("to run this test: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver)
    started = webdriver.Chrome(options=options, service=service)
    yield started
    started.quit()


@pytest.fixture(scope="module")
def address(page, tmp_path_factory):
    place = tmp_path_factory.mktemp("page") / "report.html"
    place.write_text(page, "utf-8")
    return place.as_uri()


def opened(browser, address, size="desktop", scheme="light"):
    """The page, with everything unfolded; returns what the console said and what was asked for."""
    width, height = SIZES[size]
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 800}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(address)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    time.sleep(0.2)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return browser.get_log("browser"), asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_quiet_and_asks_for_nothing(browser, address, size, scheme):
    console, asked = opened(browser, address, size, scheme)
    assert console == []
    assert [url for url in asked if not url.startswith("data:")] == [address]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wider_than_the_screen(browser, address, size):
    opened(browser, address, size)
    wide, screen = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen <= SIZES[size][0]
    loose = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll')"
        " && !e.closest('svg') && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert loose == []


def test_the_numbers_that_are_seen_are_the_manifest_s(browser, address, gaps):
    opened(browser, address)
    with Manifest.open(str(gaps)) as manifest:
        known = manifest.summary().to_pylist()
    seen = browser.execute_script(
        "return [...document.querySelectorAll('[data-table=sources] tbody tr')]"
        ".map(row => [...row.children].map(cell => cell.innerText))"
    )
    names = ("frames", "written", "missing", "rejected")
    assert [[row[0], *row[4:8]] for row in seen] == [
        [row["source"], *(f"{row[name]:,}" for name in names)] for row in known
    ]
    tiles = browser.execute_script(
        "return [...document.querySelectorAll('[data-total]')]"
        ".map(tile => [tile.dataset.total, tile.querySelector('dd').innerText])"
    )
    totals = {name: f"{sum(row[name] for row in known):,}" for name in (*names, "tokens")}
    assert {name: text for name, text in tiles if name != "bytes"} == totals
    gaps_seen = browser.execute_script(
        "return [...document.querySelectorAll('[data-table^=gaps] tbody tr')]"
        ".map(row => row.children[2].innerText)"
    )
    assert sum(map(int, gaps_seen)) == sum(row["missing"] + row["rejected"] for row in known)


def test_pictures_are_there(browser, address):
    opened(browser, address)
    sizes = browser.execute_async_script(
        "const done = arguments[0];"
        "Promise.all([...document.querySelectorAll('svg image')].map(async e => {"
        "  const image = new Image(); image.src = e.getAttribute('href'); await image.decode();"
        "  return [image.naturalWidth, image.naturalHeight]; })).then(done)"
    )
    assert sizes == [[48, 25]] * 10
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('.panel:not([hidden]) .map')]"
        ".map(e => e.getBoundingClientRect().height)"
    )
    assert len(drawn) == 8
    assert min(drawn) > 100


def test_a_level_is_chosen_by_keyboard(browser, address):
    opened(browser, address)
    card = "document.querySelector('[data-path=\"atmospheric/t\"]')"
    levels = f"return [...{card}.querySelectorAll('.panel')].map(p => [p.dataset.level, p.hidden])"
    assert browser.execute_script(levels) == [["500", True], ["850", False]]
    select = browser.execute_script(f"return {card}.querySelector('select')")
    select.send_keys(webdriver.Keys.ARROW_UP)
    assert browser.execute_script(levels) == [["500", False], ["850", True]]
    assert browser.execute_script(
        f"return {card}.querySelector('label').control === arguments[0]", select
    )
    focusable = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0)"
    )
    assert focusable


def test_without_scripts_every_level_is_shown(browser, address):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        root = browser.execute_cdp_cmd("DOM.getDocument", {})["root"]["nodeId"]
        query = {"nodeId": root, "selector": ".panel[hidden]"}
        found = browser.execute_cdp_cmd("DOM.querySelectorAll", query)["nodeIds"]
        browser.execute_cdp_cmd("CSS.enable", {})
        shown = []
        for node in found:
            styles = browser.execute_cdp_cmd("CSS.getComputedStyleForNode", {"nodeId": node})
            shown += [s["value"] for s in styles["computedStyle"] if s["name"] == "display"]
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert shown == ["block", "block"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, address, scheme):
    """Contrast of 4.5 at least, as WCAG 2.2 asks for at level AA."""
    opened(browser, address, scheme=scheme)
    low, looked_at = browser.execute_script(LUMINANCE)
    assert low == []
    assert looked_at > 300
