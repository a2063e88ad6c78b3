"""How much room a disk has, by what df of several systems prints."""

import pytest

from lab.programs.room import free_kib

ONE_K = "Filesystem       1K-blocks     Used Available Use% Mounted on\n"
POSIX = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
TOYBOX = f"{ONE_K}/dev/block/dm-9   113246208 41943040  71303168  38% /data\n"
GNU = f"{POSIX}/dev/vda         264212084 35489364  70901548      34% /\n"
MACOS = f"{POSIX}/dev/disk3s5 482797652 201 99007 68%    /System/Volumes/Data\n"
WRAPPED = (
    "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
    "/dev/mapper/a-very-long-name\n                      2000000   1500000    500000  75% /captures of today\n"
)
FULL = f"{ONE_K}tmpfs                 64    64         0 100% /tmp/small\n"
BELOW = f"{ONE_K}/dev/ada0p2 1000 990 -70 108% /\n"


@pytest.mark.parametrize(
    ("text", "free"),
    [(TOYBOX, 71303168), (GNU, 70901548), (MACOS, 99007), (WRAPPED, 500000), (FULL, 0), (BELOW, 0)],
)
def test_what_is_available_is_free_and_not_what_is_unused(text, free):
    assert free_kib(text) == free


@pytest.mark.parametrize(
    "text",
    [
        "",
        "df: /captures: No such file or directory\n",
        "Filesystem             Size   Used   Free   Blksize\n/data                   27G    19G     8G   4096\n",
        "Filesystem      Size  Used Avail Use% Mounted on\n/dev/vda        252G   34G   68G  34% /\n",
        TOYBOX + "/dev/fuse        113246208 41943040  71303168  38% /storage/emulated\n",
        TOYBOX.replace("71303168", "9" * 30),
    ],
    ids=["nothing", "refused", "android 5", "rounded", "two places", "absurd"],
)
def test_what_does_not_tell_it_is_no_number(text):
    assert free_kib(text) is None
