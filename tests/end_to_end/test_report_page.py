"""The page of the paper's matrix as a browser shows it, and as it is printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from correlate.dataset import Dataset
from correlate.report.anchors import trial_anchor
from tests.browser import Page, browser, program

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(program() is None, reason="no Chromium: apt-get install chromium-headless-shell"),
]
MOST_BYTES = 2_000_000
PICTURES = os.environ.get("IM_CALL_LAB_PICTURES", "")
"""The folder into which pictures of the page are put; empty where nobody wants any."""
WIDTHS = (400, 800, 1400, 1920)
OPENED = """document.querySelectorAll('.trials details:nth-of-type(-n+2), details:not(.trials *)')
  .forEach(e => e.open = true)"""
OUTSIDE = """[...document.querySelectorAll('body *')].filter(e =>
  !e.closest('.skip') && !(e.parentElement.closest('.scroll, [class$=scroll], pre, svg'))
  && e.getBoundingClientRect().width && e.getBoundingClientRect().right > innerWidth + 0.5)
  .map(e => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + e.textContent.slice(0, 60)).slice(0, 9)"""
PALE = """(() => {
  const parsed = text => { const n = text.match(/[\\d.]+/g).map(Number);
    return {c: n.slice(0, 3), a: n.length > 3 ? n[3] : 1} };
  const linear = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = e => { for (let at = e; at; at = at.parentElement) {
    const b = parsed(getComputedStyle(at).backgroundColor); if (b.a > 0) return b.c } return [255, 255, 255] };
  const under = e => { const t = e.getBoundingClientRect(), x = t.left + t.width / 2, y = t.top + t.height / 2;
    const boxes = [...e.ownerSVGElement.querySelectorAll('rect')].filter(r => { const b = r.getBoundingClientRect();
      return getComputedStyle(r).fill !== 'none' && b.left <= x && x <= b.right && b.top <= y && y <= b.bottom
        && (r.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING) });
    return boxes.length ? parsed(getComputedStyle(boxes.at(-1)).fill).c : behind(e.ownerSVGElement.parentElement) };
  const found = {};
  for (const e of document.querySelectorAll('body *')) {
    if (e.matches('.skip, title, desc, style') || !e.getBoundingClientRect().width) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const svg = e.ownerSVGElement, ink = parsed(getComputedStyle(e)[svg ? 'fill' : 'color']).c;
    const [a, b] = [light(ink), light(svg ? under(e) : behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found[e.tagName + '.' + (e.getAttribute('class') || '')] = contrast.toFixed(2);
  }
  return found })()"""


@pytest.fixture(scope="module")
def page(paper: Dataset) -> Iterator[Page]:
    """The page, loaded; whoever changes what it shows loads it again."""
    with browser() as started:
        tab = started.page()
        tab.look(1400)
        tab.open(paper.report_path)
        yield tab


@pytest.fixture(scope="module")
def printed(page: Page, paper: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """The lines of each page of paper, from the top."""
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    folder = tmp_path_factory.mktemp("printed")
    page.look(1400)
    page.open(paper.report_path)
    (folder / "page.pdf").write_bytes(page.pdf())
    if PICTURES:
        target = Path(PICTURES) / "report-print"
        subprocess.run(["pdftoppm", "-r", "60", "-png", "-singlefile", folder / "page.pdf", target], check=True)
    subprocess.run(["pdftotext", "-bbox", folder / "page.pdf", folder / "words.html"], check=True)
    pages = (folder / "words.html").read_text().split("<page ")[1:]
    return [_lines(each) for each in pages]


def _lines(words: str) -> list[str]:
    """The lines of a page: words whose feet are at one height."""
    lines: dict[int, list[str]] = {}
    for foot, text in re.findall(r'yMax="([\d.]+)">(.*?)</word>', words):
        lines.setdefault(round(float(foot)), []).append(text)
    return [" ".join(lines[foot]) for foot in sorted(lines)]


def test_the_page_asks_for_nothing_and_breaks_no_rule_of_its_own(page: Page, paper: Dataset) -> None:
    page.open(paper.report_path)
    asked = [event["request"]["url"] for event in page.told("Network.requestWillBeSent")]
    assert asked == [paper.report_path.resolve().as_uri()]
    assert page.told("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded") == []
    assert page.run("document.querySelectorAll('script, [style], img, link, iframe, object, form').length") == 0


def test_the_page_is_at_most_two_megabytes(paper: Dataset) -> None:
    assert paper.report_path.stat().st_size <= MOST_BYTES


def test_every_link_leads_to_a_place_that_is_there_once(page: Page) -> None:
    dead = "[...document.querySelectorAll('[href^=\"#\"]')].map(e => e.getAttribute('href').slice(1))"
    assert page.run(f"{dead}.filter(id => !document.getElementById(id))") == []
    twice = "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, at, all) => all.indexOf(id) !== at)"
    assert page.run(twice) == []
    other = "[...document.querySelectorAll('[href]')].map(e => e.getAttribute('href')).filter(h => h[0] !== '#')"
    assert page.run(other) == []


def test_every_trial_is_there_and_closed(page: Page, paper: Dataset) -> None:
    page.open(paper.report_path)
    anchors = page.run("[...document.querySelectorAll('.trials details:not([open]) > div')].map(e => e.id)")
    assert sorted(anchors) == sorted(map(trial_anchor, paper.trial_ids()))


def test_drawings_have_a_title_and_a_description(page: Page) -> None:
    nameless = "[...document.querySelectorAll('main svg')].filter(e => !e.querySelector(':scope > title')?.textContent"
    assert page.run("document.querySelectorAll('.figure svg').length") >= 10
    assert (
        page.run(f"{nameless} || !e.querySelector(':scope > desc')?.textContent).map(e => e.outerHTML.slice(0, 99))")
        == []
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_page_in_either_theme(page: Page, paper: Dataset, width: int) -> None:
    page.look(width)
    page.open(paper.report_path)
    page.run(OPENED)
    for dark in (False, True):
        page.look(width, dark=dark)
        assert (page.run("document.documentElement.scrollWidth"), page.run(OUTSIDE)) == (width, [])


def test_text_stands_out_from_what_is_behind_it_in_both_themes(page: Page, paper: Dataset) -> None:
    page.look(1400)
    page.open(paper.report_path)
    page.run(OPENED)
    for dark in (False, True):
        page.look(1400, dark=dark)
        assert page.run(PALE) == {}


def test_a_link_to_a_trial_opens_it_when_the_page_is_loaded(page: Page, paper: Dataset) -> None:
    trial = paper.trial_ids()[100]
    page.open(paper.report_path, trial_anchor(trial))
    assert page.run("[...document.querySelectorAll('.trials details[open] > div')].map(e => e.id)") == [
        trial_anchor(trial)
    ]


def test_from_a_number_of_the_matrix_two_clicks_open_a_trial(page: Page, paper: Dataset) -> None:
    page.look(1400)
    page.open(paper.report_path)
    _click(page, ".matrix td.all a")
    numbers = page.run("location.hash")
    assert re.fullmatch(r"#s\d+", numbers)
    _click(page, f"{numbers} a")
    assert page.run("document.querySelector(location.hash).parentElement.open")
    assert page.run("location.hash").removeprefix("#trial-") in paper.trial_ids()


def _click(page: Page, selector: str) -> None:
    script = """(e => { e.scrollIntoView({block: 'center'}); const box = e.getClientRects()[0];
      return [box.x + box.width / 2, box.y + box.height / 2] })"""
    page.click(*page.run(f"{script}(document.querySelector('{selector}'))"))


def test_the_first_thing_that_the_keyboard_reaches_skips_to_the_verdict(page: Page, paper: Dataset) -> None:
    page.look(1400)
    page.open(paper.report_path)
    for kind in ("keyDown", "keyUp"):
        page.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert page.run("document.activeElement.getAttribute('href')") == "#verdict"
    assert page.run("document.activeElement.getBoundingClientRect().left") >= 0
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_it_prints_on_few_pages_of_which_few_are_before_the_tables(printed: list[list[str]]) -> None:
    tables = next(number for number, lines in enumerate(printed) if "Tables" in lines)
    assert (tables <= 20, len(printed) <= 50) == (True, True), (tables, len(printed))


def test_no_heading_is_the_last_line_of_a_printed_page(page: Page, printed: list[list[str]]) -> None:
    headings = set(page.run("[...document.querySelectorAll('h1, h2, h3, h4')].map(e => e.textContent.trim())"))
    assert [lines[-1] for lines in printed if lines and lines[-1] in headings] == []


@pytest.mark.skipif(not PICTURES, reason="IM_CALL_LAB_PICTURES names no folder")
def test_pictures_of_the_page_are_taken(page: Page, paper: Dataset) -> None:
    for name, width, height, dark, anchor in (
        ("wide", 1400, 1050, False, ""),
        ("narrow", 400, 900, False, ""),
        ("dark", 1400, 1050, True, "figures"),
    ):
        page.look(width, height, dark)
        page.open(paper.report_path)
        page.run(f"document.getElementById('{anchor}')?.scrollIntoView()")
        picture = Path(PICTURES) / f"report-{name}.png"
        page.picture(picture)
        data = picture.read_bytes()
        # A PNG of that width; what docs/images holds stays small.
        assert (data[:8], int.from_bytes(data[16:20])) == (b"\x89PNG\r\n\x1a\n", width)
        assert len(data) < 300_000
