"""Sheets of .xlsx files, read as CSV."""

import zipfile
from pathlib import Path

import pytest

from crossfade.core.errors import InputError
from crossfade.importing.opening import open_input
from crossfade.importing.sources import Input

NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
SHARED = (
    f"<sst {NAMESPACE}><si><t>Artist</t></si><si><r><t>Bj</t></r><r><rPr/><t>\u00f6rk</t></r><rPh><t>no</t></rPh></si>"
    '<si><t xml:space="preserve"> J\u00f3ga,\n"live" </t></si></sst>'
)
ROWS = (
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>Title</t></is></c>'
    '<c r="D1"><v>7.5</v></c></row>'
    '<row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3" t="s"><v>2</v></c><c r="AA3"/><c r="ZZZ3"><v>9</v></c></row>'
    '<row><c t="str"><f>A1</f><v>x</v></c><c t="s"><v>99</v></c></row>'
)


def spreadsheet(path: Path, rows: str = ROWS, shared: str | None = SHARED) -> Path:
    parts = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": (
            f'<workbook {NAMESPACE} xmlns:r="{OFFICE}"><sheets><sheet name="A sheet" sheetId="1" r:id="rId3"/>'
            '<sheet name="gone" sheetId="2" r:id="rId9"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{RELATIONS}">'
            '<Relationship Id="rId3" Target="worksheets/sheet1.xml"/></Relationships>'
        ),
        "xl/worksheets/sheet1.xml": f"<worksheet {NAMESPACE}><sheetData>{rows}</sheetData></worksheet>",
    }
    if shared is not None:
        parts["xl/sharedStrings.xml"] = shared
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return path


def text(found: Input) -> str:
    (member,) = found.members
    return found.open(member).read().decode()


def test_a_sheet_is_a_table_with_a_line_for_each_row(tmp_path: Path) -> None:
    found = open_input(spreadsheet(tmp_path / "x.xlsx"))
    assert [(member.name, str(member.relative)) for member in found.members] == [("x.xlsx:A sheet", "A sheet")]
    assert found.skipped == []
    assert text(found) == 'Artist,Title,,7.5\n\nBj\u00f6rk," J\u00f3ga, ""live"" ",,\nx,,,\n'


def test_texts_may_all_stand_in_their_cells_and_a_spreadsheet_in_a_zip(tmp_path: Path) -> None:
    inner = spreadsheet(tmp_path / "x.xlsx", shared=None)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "folder/x.xlsx")
    found = open_input(tmp_path / "outer.zip")
    assert [(member.name, str(member.relative)) for member in found.members] == [
        ("outer.zip:folder/x.xlsx:A sheet", "folder/A sheet")
    ]
    assert text(found).startswith(",Title,,7.5\n")


def test_a_cut_sheet_keeps_its_rows(tmp_path: Path) -> None:
    found = open_input(spreadsheet(tmp_path / "x.xlsx", rows=ROWS + "<row><c"))
    stream = found.open(found.members[0])
    assert stream.read1(1 << 20).decode().endswith("\nx,,,\n")  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="not valid XML"):
        stream.read()


def test_rows_that_repeat_a_long_text_are_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.formats.streams.FREE_BYTES", 1 << 20)
    shared = f"<sst {NAMESPACE}><si><t>{'x' * 30_000}</t></si></sst>"
    found = open_input(spreadsheet(tmp_path / "x.xlsx", '<row><c t="s"><v>0</v></c></row>' * 100, shared))
    with pytest.raises(InputError, match="decompression bombs"):
        found.open(found.members[0]).read()


def test_a_spreadsheet_without_its_parts_is_damaged(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(InputError, match="damaged spreadsheet"):
        open_input(tmp_path / "x.xlsx")


def test_shared_texts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.importing.spreadsheets._MAX_STRINGS", 8)
    assert "characters of text" in open_input(spreadsheet(tmp_path / "x.xlsx")).skipped[0][1]
