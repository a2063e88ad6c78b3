"""A small study with known numbers, and how its figures are read back."""

import math
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from correlate import report
from correlate.dataset import Dataset
from correlate.report.figures import Sources, figures
from correlate.tables.study import Study

A, B, RELAY = ("100.64.0.7", 5000), ("192.168.137.20", 6000), ("192.0.2.50", 3478)
NARROW = 6.2
"""What a character of 12 units takes at the least: a text that is outside by it is outside on every screen."""


def conversation(build, end_s, sent=150, received=140, **keys):
    """The caller's session lasts 31 s, the callee's `end_s`. Of what the caller sends the callee gets `received`."""
    call = build.call(ring_s=2.0, talk_s=28.0, **keys)
    name = f"ab{call.app[:1]}{call.repetition}:efg{call.repetition}".encode()
    for side, local, last_s, tx, rx in ((call.caller, A, 31.0, sent, 140), (call.callee, B, end_s, 140, received)):
        side.relay(local, RELAY, 0.0, mapped=side.probed[0])
        side.talk(local, RELAY, 1.0, last_s, tx, rx)
        side.put(2.0, *local, *RELAY, build.stun(build.BINDING, (build.USERNAME, name)))
    return call


def cancelled(build, **keys):
    """Nobody answers: the caller's session lasts 4 s, the callee's 3.5 s; the callee's trace shows the caller."""
    call = build.call(scenario="caller_cancels", ring_s=2.0, **keys)
    for side, local, last_s in ((call.caller, A, 4.0), (call.callee, B, 3.5)):
        side.relay(local, RELAY, 0.0)
        side.put(last_s, *local, *RELAY, build.stun(build.BINDING))
    call.callee.put(2.0, *RELAY, *B, build.stun(build.DATA_INDICATION, build.xored(build.PEER, "203.0.113.7")))
    return call


def drawn(path):
    """A dataset, computed: its study, its sources and its figures by name."""
    dataset = Dataset(path)
    report.build(dataset)
    study = Study.of(dataset)
    sources = Sources.of(dataset, study)
    return SimpleNamespace(
        dataset=dataset, study=study, sources=sources, figures={each.name: each for each in figures(study, sources)}
    )


@pytest.fixture(scope="session")
def small(tmp_path_factory, build):
    """maple: three conversations whose sides differ by 1, 2 and 0.5 s, and a cancelled call; birch: a conversation. A
    second cancelled call of maple is planned."""
    path = tmp_path_factory.mktemp("small")
    calls = [
        conversation(build, 30.0),
        conversation(build, 29.0, received=120, repetition=2),
        conversation(build, 30.5, sent=1500, received=1500, service="video"),
        cancelled(build),
        conversation(build, 30.0, app="birch"),
    ]
    build.dataset(path, calls, extra_plan=[cancelled(build, repetition=2)])
    return drawn(path)


def parsed(svg):
    return ElementTree.fromstring(str(svg))


def panel(figure, name):
    return parsed(dict(figure.svgs)[name])


def local(element):
    return element.tag.rpartition("}")[2]


def every(root, tag):
    return [each for each in root.iter() if local(each) == tag]


def said(element):
    """What stands in the element's title."""
    return next((each.text for each in element if local(each) == "title"), None)


def texts(root):
    return [each.text for each in every(root, "text")]


def dots(root):
    """Trial -> place and class of its circle."""
    found = {}
    for link in every(root, "a"):
        for circle in every(link, "circle"):
            place = (float(circle.get("cx")), float(circle.get("cy")), circle.get("class"))
            found[link.get("href").removeprefix("#trial-")] = place
    return found


def extent(root):
    """The corners of all that is drawn, texts by what they take at least: (left, top, right, bottom)."""
    xs, ys = [], []

    def put(x, y):
        assert math.isfinite(x)
        assert math.isfinite(y)
        xs.append(x)
        ys.append(y)

    for each in root.iter():
        value = {key: float(each.get(key, 0)) for key in ("x", "y", "cx", "cy", "r")} if local(each) in SHAPES else {}
        if local(each) == "circle":
            put(value["cx"] - value["r"], value["cy"] - value["r"])
            put(value["cx"] + value["r"], value["cy"] + value["r"])
        elif local(each) == "rect":
            put(value["x"], value["y"])
            put(value["x"] + float(each.get("width")), value["y"] + float(each.get("height")))
        elif local(each) == "text":
            wide = NARROW * len(each.text or "")
            shift = {"start": 0, "middle": wide / 2, "end": wide}[each.get("text-anchor", "start")]
            put(value["x"] - shift, value["y"] - 9)
            put(value["x"] - shift + wide, value["y"] + 3)
        elif local(each) == "path":
            for command, numbers in re.findall(r"([MLHV])([-0-9. ]+)", each.get("d")):
                place = [float(number) for number in numbers.split()]
                if command in "ML":
                    put(*place[:2])
                else:
                    put(place[0] if command == "H" else xs[-1], place[0] if command == "V" else ys[-1])
    return min(xs), min(ys), max(xs), max(ys)


SHAPES = ("circle", "rect", "text")


@pytest.fixture(scope="session")
def look():
    return SimpleNamespace(
        parsed=parsed, panel=panel, every=every, said=said, texts=texts, dots=dots, extent=extent, drawn=drawn,
        conversation=conversation, cancelled=cancelled, local=local,
    )  # fmt: skip
