"""A night for a CI server, as JUnit's XML: complete = pass, void = error, parked or left = skipped, alarm = failure."""

import re
from xml.etree import ElementTree

from lab.night.record import NightRecord

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(record: NightRecord, planned: list[str]) -> str:
    """The XML of a night: a case for each planned trial, and one for each alarm. What XML cannot hold becomes `?`."""
    alarms = [each for each in record.told if each.loud]
    skipped = {**dict.fromkeys(record.parked, "parked"), **dict.fromkeys(record.left, "left for the next night")}
    void = set(record.void)
    root = ElementTree.Element("testsuites")
    suite = _suite(root, "trials", len(planned), failures=0, errors=len(void), skipped=len(skipped))
    for trial in planned:
        case = _case(suite, trial.partition("-")[0], trial)
        if trial in void:
            ElementTree.SubElement(case, "error", type="void", message="all attempts are void")
        elif trial in skipped:
            ElementTree.SubElement(case, "skipped", message=skipped[trial])
    suite = _suite(root, "alarms", len(alarms), failures=len(alarms), errors=0, skipped=0)
    for each in alarms:
        case = _case(suite, each.cell.split("/")[2], each.cell)
        ElementTree.SubElement(case, "failure", type=each.kind, message=_NOT_XML.sub("?", each.sentence))
    ElementTree.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(root: ElementTree.Element, name: str, tests: int, **counts: int) -> ElementTree.Element:
    counted = {"name": name, "tests": str(tests)} | {key: str(value) for key, value in counts.items()}
    return ElementTree.SubElement(root, "testsuite", counted)


def _case(suite: ElementTree.Element, app: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=app, name=name)
