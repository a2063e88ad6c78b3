"""How much room a laptop with bash has where captures are written."""

import shutil

from lab.clocks.bench_time import WallClock
from lab.clocks.stop import Stop
from lab.laptop.bash import BashLaptop


def test_a_laptop_with_bash_tells_the_room_of_a_folder_that_need_not_be_there_yet(tmp_path):
    laptop = BashLaptop([], f"{tmp_path}/captures", WallClock(Stop()))
    try:
        room_kib = laptop.room_kib()
    finally:
        laptop.close()
    assert room_kib is not None
    assert abs(room_kib - shutil.disk_usage(tmp_path).free // 1024) < 1 << 20


def test_one_whose_df_says_nothing_does_not_tell(tmp_path):
    (tmp_path / "captures").write_text("a file, where a folder is to be")
    laptop = BashLaptop([], f"{tmp_path}/captures/none", WallClock(Stop()))
    try:
        assert laptop.room_kib() is None
    finally:
        laptop.close()
