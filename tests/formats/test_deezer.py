"""Deezer's listening history."""

import zipfile

import pytest

from crossfade.core.home import Home
from crossfade.importing.imports import import_paths

HEADER = "Song Title,Artist,ISRC,Album Title,IP Address,Listening Time,Platform Name,Platform Model,Date"


def test_a_row_is_a_listen(read):
    rows = [
        "Fly,Low,USSUB1300001,C'mon,192.0.2.1,353,web,None,2020-01-02 10:00:00",
        "Fly,Low,,,192.0.2.1,-1,None,None,2009-11-07 16:35:11",
        "Fly,Low,,,192.0.2.1,0,None,None,2009-11-07 17:35:11",
        "Fly,,,,,1,,,2020-01-02 10:00:00",
        "Fly,Low,,,,1,,,07/11/2009",
        "Fly,Low,,,,1,,,",
    ]
    found = read("deezer", {"x.csv": "\n".join([HEADER, *rows]).encode()})
    assert found.listened[0] == {
        "line": 2,
        "listened_at": 1_577_959_200.0,
        "name": "Fly",
        "parent": "Low",
        "ms_played": 353_000,
        "album": "C'mon",
        "isrc": "USSUB1300001",
        "platform": "web",
    }
    assert [(row["ms_played"], row["platform"]) for row in found.listened[1:]] == [(None, None), (0, None)]
    assert found.reasons == [(5, "incomplete"), (6, "malformed"), (7, "incomplete")]
    assert "192.0.2.1" not in repr(found)


@pytest.mark.parametrize("name", ["deezer-data_12345.xlsx", "renamed.xlsx"])
def test_the_spreadsheet_as_it_is_downloaded(name, tmp_path):
    def sheet(*rows):
        cells = ["".join(f'<c t="inlineStr"><is><t>{value}</t></is></c>' for value in row.split(",")) for row in rows]
        return "<worksheet><sheetData>" + "".join(f"<row>{row}</row>" for row in cells) + "</sheetData></worksheet>"

    history = sheet(HEADER, "Fly,Low,USSUB1300001,C'mon,192.0.2.1,353,web,None,2020-01-02 10:00:00")
    # A sheet that would be read as a table of listens, were it not in Deezer's workbook.
    favourites = sheet("Song Title,Artist,Date", "Monkey,Low,2020-01-02 10:00:00")
    parts = {
        "xl/workbook.xml": '<workbook xmlns:r="r"><sheets><sheet name="4_favorites" r:id="a"/>'
        '<sheet name="10_listeningHistory" r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="a" Target="worksheets/sheet1.xml"/>'
        '<Relationship Id="b" Target="/xl/worksheets/sheet2.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": favourites,
        "xl/worksheets/sheet2.xml": history,
    }
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    (ledger,) = import_paths(Home(tmp_path / "home"), [tmp_path / name])
    assert ledger.plays == (1 if name.startswith("deezer") else 2)
    assert "deezer" in ledger.formats
