"""What holds of every figure: how it is written, how it is read, and what stands in it as text."""

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from correlate.report.figures import figures, style
from tests.records import record_anew

NAMES = [
    "matrix", "exposure", "duration", "control", "media", "rate", "user_ids", "linking", "bench", "clocks", "trials",
]  # fmt: skip
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def svgs(small):
    return {f"{each.name}-{name}": svg for each in small.figures.values() for name, svg in each.svgs}


def test_the_figures_stand_in_the_order_of_the_page(small):
    assert list(small.figures) == NAMES


def test_every_panel_is_xml_with_a_title_and_a_description_that_it_names(svgs, look):
    assert len(svgs) == 19
    for name, svg in svgs.items():
        root = look.parsed(svg)
        title, description = root[0], root[1]
        assert (look.local(title), look.local(description)) == ("title", "desc")
        assert title.text
        assert description.text
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
        assert title.get("id") == f"fg-{name}-t"


def test_no_id_is_there_twice(small):
    ids = re.findall(r'\bid="([^"]*)"', "".join(str(each.html) for each in small.figures.values()))
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    assert len(ids) == 2 * (19 - 4)  # the four panels of bytes are texts in the page


def test_nothing_is_drawn_outside_of_a_panel_nor_is_one_wider_than_a_phone(svgs, look):
    stays_within(svgs, look)


def test_the_longest_names_are_cut_and_said_in_titles(tmp_path, build, look):
    app, scenario, direction = "a" * 64, "m" * 60, "w" * 29 + "_to_" + "w" * 31
    call = look.conversation(build, 30.0, app=app, scenario=scenario, direction=direction)
    build.dataset(tmp_path, [call, look.conversation(build, 30.0)])
    found = look.drawn(tmp_path).figures
    svgs = {f"{each.name}-{name}": svg for each in found.values() for name, svg in each.svgs}
    stays_within(svgs, look)
    (link,) = look.every(look.panel(found["duration"], app), "a")
    assert look.said(link[0]) == f"{call.trial}: +1.000 s, bound 4.0 ms"


def stays_within(svgs, look):
    for name, svg in svgs.items():
        root = look.parsed(svg)
        left, top, width, height = map(float, root.get("viewBox").split())
        assert (width, height) == (float(root.get("width")), float(root.get("height")))
        assert width <= 340
        x1, y1, x2, y2 = look.extent(root)
        inside = (x1 >= left - 3, y1 >= top - 1, x2 <= left + width + 1, y2 <= top + height + 1)
        assert inside == (True,) * 4, (name, x1, y1, x2, y2)


def test_every_dot_and_every_cell_has_a_title_and_links_to_a_trial_that_is_there(svgs, small, look):
    trials = {f"#trial-{case.trial}" for case in small.study.read}
    for name, svg in svgs.items():
        root = look.parsed(svg)
        assert {link.get("href") for link in look.every(root, "a")} <= trials, name
        assert [dot for dot in look.every(root, "circle") if not look.said(dot)] == []
        linked = [each for link in look.every(root, "a") for each in link if look.local(each) in ("circle", "rect")]
        assert all(look.said(each) for each in linked)
        if not name.startswith(("linking", "bench")):
            assert len([each for link in look.every(root, "a") for each in look.every(link, "circle")]) == len(
                look.every(root, "circle")
            )


def test_colours_are_the_pages_and_no_element_has_a_style_of_its_own(small):
    html = "".join(str(each.html) for each in small.figures.values())
    assert re.findall(r"\bstyle=|<style|<script|\bfill=|\bstroke=|\bonclick", html) == []
    classes = set(" ".join(re.findall(r'class="([^"]*)"', html)).split())
    assert {name for name in classes if name != "fg" and not name.startswith("fg-")} == set()
    assert {name for name in classes if f".{name}" not in style()} == set()
    assert set(re.findall(r"var\((--[a-z]+)\)", style())) <= {
        "--ink", "--soft", "--line", "--paper", "--wash", "--accent", "--tint", "--link",
    }  # fmt: skip
    assert re.findall(r"#[0-9a-f]{3,6}\b|rgb", style()) == []


def test_no_text_of_a_drawing_is_smaller_than_11_units():
    assert {int(size) for size in re.findall(r"font:(\d+)px", style())} == {12}


def test_a_heading_asks_and_a_sentence_says_how_to_read(small):
    for each in small.figures.values():
        assert each.question.endswith("?")
        assert each.how_to_read.endswith(".")


def test_every_row_has_a_value_for_every_column(small):
    for each in small.figures.values():
        assert [row for row in each.rows if set(row) != set(each.columns)] == [], each.name


HASHED = """
import hashlib, sys
from pathlib import Path
from correlate.dataset import Dataset
from correlate.report.figures import Sources, figures
from correlate.tables.study import Study
dataset = Dataset(Path(sys.argv[1]))
study = Study.of(dataset)
made = figures(study, Sources.of(dataset, study))
print(hashlib.sha256("".join(f"{each.html}{each.rows}" for each in made).encode()).hexdigest())
"""


@pytest.mark.full
def test_another_process_makes_the_same_bytes(small):
    argv = [sys.executable, "-c", HASHED, str(small.dataset.path)]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=120,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
    )
    made = "".join(f"{each.html}{each.rows}" for each in small.figures.values())
    assert done.stdout.decode().split() == [hashlib.sha256(made.encode()).hexdigest()]


HOSTILE = '"><script>alert(1)</script>\u202e&'


def test_what_others_wrote_stays_text(tmp_path, build, look):
    call = look.conversation(build, 30.0)
    for side, end in ((call.caller, ("100.64.0.7", 5000)), (call.callee, ("192.168.137.20", 6000))):
        side.put(0.5, *end, "192.0.2.50", 3478, build.stun(build.BINDING, (build.USERNAME, b"<i>&:\"'<b")))
    build.dataset(tmp_path, [call])
    path = tmp_path / "dataset.json"
    info = json.loads(path.read_text())
    info["devices"][0]["model"] = info["laptop"]["model"] = HOSTILE
    path.write_text(json.dumps(info))
    (tmp_path / "scenarios/benches").mkdir(parents=True)
    bench = f"phones:\n- name: alpha\n  capture: '{HOSTILE}'\n  emulation: {{access: {{nat: '{HOSTILE}'}}}}\n"
    (tmp_path / "scenarios/benches/virtual.yaml").write_text(bench)
    record_anew(tmp_path)
    found = look.drawn(tmp_path)
    html = "".join(str(each.html) for each in found.figures.values())
    assert "<script" not in html
    assert "<i>" not in html
    assert [row["user_id"] for row in found.figures["user_ids"].rows if row["side"] == "caller"] == ["<i>&", "\"'<b"]
    root = look.panel(found.figures["bench"], "alpha")
    assert "script" in "".join(look.texts(root))
    for each in found.figures.values():
        for _, svg in each.svgs:
            look.parsed(svg)


def test_a_figure_without_data_says_so_in_a_sentence_and_draws_no_axis(tmp_path, build, look):
    build.dataset(tmp_path, [], extra_plan=[look.conversation(build, 30.0)])
    found = look.drawn(tmp_path).figures
    empty = {name: str(each.html) for name, each in found.items() if not each.svgs}
    assert list(empty) == [
        "matrix",
        "exposure",
        "duration",
        "control",
        "media",
        "rate",
        "user_ids",
        "linking",
        "clocks",
    ]
    for html in empty.values():
        assert re.fullmatch(r'(<p class="fg-say">[A-Z][^<]+\.</p>\s*)+', html)
    assert look.texts(look.panel(found["trials"], "maple-1"))[0] == "maple"


def test_figures_of_a_study_can_be_made_twice(small):
    again = figures(small.study, small.sources)
    assert [each.html for each in again] == [each.html for each in small.figures.values()]
