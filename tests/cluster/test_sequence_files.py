"""Files of records that Hadoop reads and writes; `test_hadoop` has Hadoop itself do so."""

import io

import pytest

from crossfade.cluster.sequence_files import read_sequence, write_sequence
from crossfade.core.errors import InputError

RECORDS = [(b"key", b"value"), (b"", b""), (b"\xff\xff\xff\xff", bytes(1000))]


def written(records):
    file = io.BytesIO()
    assert write_sequence(file, records) == len(records)
    return file.getvalue()


def test_records_are_read_as_they_were_written(tmp_path):
    (tmp_path / "part").write_bytes(written(RECORDS))
    assert list(read_sequence(tmp_path / "part")) == RECORDS


@pytest.mark.parametrize("keep", [10, -1, -1003, -1023])
def test_a_file_that_was_cut_short_is_refused(tmp_path, keep):
    (tmp_path / "part").write_bytes(written(RECORDS)[:keep])
    with pytest.raises(InputError, match=r"cut short|not an uncompressed"):
        list(read_sequence(tmp_path / "part"))


def test_a_file_of_texts_is_refused(tmp_path):
    (tmp_path / "part").write_bytes(written(RECORDS).replace(b"BytesWritable", b"SomeWritables"))
    with pytest.raises(InputError, match="not an uncompressed sequence file of bytes"):
        list(read_sequence(tmp_path / "part"))


def test_a_damaged_mark_is_refused(tmp_path):
    content = bytearray(written(RECORDS))
    content[content.index(b"\xff\xff\xff\xff") + 5] ^= 1
    (tmp_path / "part").write_bytes(content)
    with pytest.raises(InputError, match="a mark between records is damaged"):
        list(read_sequence(tmp_path / "part"))
