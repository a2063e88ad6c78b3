"""What the virtual bench writes into a dataset: the truth, whole or not at all."""

from lab.virtual.bench import write_json


def test_a_temporary_name_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/x.json.partial").symlink_to("../precious")
    write_json(tmp_path / "truth/x.json", {"b": 1, "a": [2]})
    assert (tmp_path / "truth/x.json").read_text() == '{\n "a": [\n  2\n ],\n "b": 1\n}\n'
    assert (tmp_path / "precious").read_text() == "kept"
    assert [path.name for path in (tmp_path / "truth").iterdir()] == ["x.json"]
