import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fourfold.suite.datasets import DatasetError, fetch, state, verify


def leftovers(cache: Path) -> list[str]:
    return sorted(p.name for p in (cache / "credit").iterdir() if p.name != "loans.csv")


def test_fetch_brings_the_file_once_and_tells_how_far_it_is(server, loans, body, tmp_path):
    told = []
    assert state(loans, tmp_path) == "absent"
    fetched = fetch(loans, tmp_path, lambda *step: told.append(step))

    assert fetched == [tmp_path / "credit/loans.csv"]
    assert fetched[0].read_bytes() == body
    assert leftovers(tmp_path) == []
    assert state(loans, tmp_path) == "present"
    assert verify(loans, tmp_path) == []
    assert told[0] == ("credit/loans.csv", 0, len(body))
    assert told[-1] == ("credit/loans.csv", len(body), len(body))
    done = [step[1] for step in told]
    assert done == sorted(done)
    assert len(done) > 3
    assert fetch(loans, tmp_path) == []
    assert len(server.asked) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(server, loans, body, tmp_path):
    server.cut_after = 1_000_000
    with pytest.raises(DatasetError, match=r"broke off after 1000000 of 3000000 bytes.*same command again"):
        fetch(loans, tmp_path)
    assert state(loans, tmp_path) == "absent"

    server.cut_after = None
    told = []
    fetch(loans, tmp_path, lambda *step: told.append(step))

    assert (tmp_path / "credit/loans.csv").read_bytes() == body
    assert server.asked == [None, "bytes=1000000-"]
    assert server.sent == [1_000_000, 2_000_000]
    assert told[0][1:] == (1_000_000, 3_000_000)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("change", ["no ranges", "new version", "other address"])
def test_what_cannot_be_resumed_is_fetched_whole(server, loans, body, tmp_path, monkeypatch, change):
    server.cut_after = 1_000_000
    with pytest.raises(DatasetError, match="broke off"):
        fetch(loans, tmp_path)

    server.cut_after = None
    if change == "no ranges":
        server.ranges = False
    elif change == "new version":
        server.etag = '"two"'
    else:
        server.files["/mirror/credit/loans.csv"] = body
        monkeypatch.setenv("FOURFOLD_MIRROR", f"{server.address}/mirror/")
    fetch(loans, tmp_path)

    assert (tmp_path / "credit/loans.csv").read_bytes() == body
    assert server.sent[1:] == [3_000_000]


def test_a_part_that_was_damaged_meanwhile_is_thrown_away(server, loans, body, tmp_path):
    server.cut_after = 1_000_000
    with pytest.raises(DatasetError, match="broke off"):
        fetch(loans, tmp_path)
    with (tmp_path / "credit/loans.csv.part").open("r+b") as part:
        part.write(b"damage")

    server.cut_after = None
    fetch(loans, tmp_path)

    assert (tmp_path / "credit/loans.csv").read_bytes() == body
    assert server.sent[1:] == [2_000_000, 3_000_000]


def test_a_part_that_is_whole_already_does_no_harm(server, loans, body, tmp_path):
    server.cut_after = 2_999_999
    with pytest.raises(DatasetError, match="broke off"):
        fetch(loans, tmp_path)
    with (tmp_path / "credit/loans.csv.part").open("ab") as part:
        part.write(body[-1:])

    server.cut_after = None
    fetch(loans, tmp_path)

    assert (tmp_path / "credit/loans.csv").read_bytes() == body


def test_a_wrong_checksum_leaves_the_old_file(server, loans, body, tmp_path):
    old = tmp_path / "credit/loans.csv"
    old.parent.mkdir()
    old.write_bytes(b"old")
    server.files["/loans.csv"] = body[:-1] + bytes([body[-1] ^ 1])

    with pytest.raises(DatasetError, match=r"not what it should be: its bytes have SHA-256 .* left as it was") as error:
        fetch(loans, tmp_path)

    assert server.address in str(error.value)
    assert old.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_missing_file_and_a_dead_server_are_told_apart(server, loans, tmp_path):
    del server.files["/loans.csv"]
    with pytest.raises(DatasetError, match=r"loans\.csv: the server answers 404"):
        fetch(loans, tmp_path)

    file = replace(loans.files[0], url="http://127.0.0.1:1/loans.csv")
    with pytest.raises(DatasetError, match=r"cannot be reached.*refused.*Check the connection"):
        fetch(replace(loans, files=(file,)), tmp_path)
    with pytest.raises(DatasetError, match="cannot be reached"):
        fetch(replace(loans, files=(replace(file, url="no address"),)), tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_named(loans, tmp_path):
    (tmp_path / "credit").mkdir()
    (tmp_path / "credit/loans.csv.part").symlink_to("/dev/full")
    with pytest.raises(DatasetError, match=r"loans\.csv: No space left on device.*FOURFOLD_DATA"):
        fetch(loans, tmp_path)


def test_a_cache_that_cannot_be_written_is_named(loans, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"credit/loans\.csv: Not a directory.*FOURFOLD_DATA"):
        fetch(loans, tmp_path / "file")


def test_two_may_fetch_at_once(server, loans, body, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    begun, both = threading.Event(), threading.Barrier(2, timeout=20)

    def wait(_path: str, done: int, _total: int | None) -> None:
        begun.set()
        if done == 0:
            both.wait()  # neither goes on before the other is at it too

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, loans, tmp_path, wait)
        begun.wait(20)
        second = pool.submit(fetch, loans, tmp_path, wait)
        assert first.result() == second.result() == [tmp_path / "credit/loans.csv"]

    assert server.sent == [3_000_000, 3_000_000]
    assert (tmp_path / "credit/loans.csv").read_bytes() == body
    assert leftovers(tmp_path) == []


def test_a_mirror_serves_what_its_origin_does_not(server, loans, body, tmp_path, monkeypatch):
    by_hand = replace(loans, by_hand="Ask the bank", files=(replace(loans.files[0], url=""),))
    with pytest.raises(DatasetError, match=r"cannot be fetched\. Ask the bank"):
        fetch(by_hand, tmp_path)

    server.files = {"/mirror/credit/loans.csv": body}
    monkeypatch.setenv("FOURFOLD_MIRROR", f"{server.address}/mirror")
    fetch(by_hand, tmp_path)
    assert verify(by_hand, tmp_path) == []
