from __future__ import annotations

from pathlib import Path

from cli.conftest import Virnucpro

from virnucpro_tasks.errors import ExitCode
from virnucpro_tasks.jobs.job import Job


def test_tables_of_a_job_are_put_into_a_workbook_once(virnucpro: Virnucpro, finished: Job, tmp_path: Path) -> None:
    tables = [finished.paths.results / name for name in ("records.tsv", "chunks.tsv", "prediction_results.txt")]
    output = tmp_path / "out.xlsx"
    ended = virnucpro("workbook", *tables, "-o", output)
    assert (ended.code, ended.err) == (ExitCode.OK, [f"workbook {output}"])
    written = output.read_bytes()
    refused = virnucpro("workbook", tables[0], "-o", output)
    assert refused.code == ExitCode.USAGE and "exists already" in refused.err[0] and output.read_bytes() == written
    assert virnucpro("workbook", tables[0], "-o", output, "--force", "-q").err == []
    table = tmp_path / "records.tsv"
    table.write_bytes(tables[0].read_bytes())
    refused = virnucpro("workbook", table, "-o", table, "--force")
    assert refused.code == ExitCode.USAGE and "is where a result of this name goes" in refused.err[0]
    assert table.read_bytes() == tables[0].read_bytes()


def test_a_missing_table_or_folder_is_told(virnucpro: Virnucpro, tmp_path: Path) -> None:
    missing = virnucpro("workbook", tmp_path / "a.tsv", tmp_path / "b.tsv", "-o", tmp_path / "x.xlsx")
    assert missing.code == ExitCode.BAD_INPUT and "b.tsv: No such file" in missing.err[0]
    (tmp_path / "a.tsv").write_text("record_id\tlength\n")
    nowhere = virnucpro("workbook", tmp_path / "a.tsv", "-o", tmp_path / "new" / "x.xlsx")
    assert nowhere.code == ExitCode.USAGE and "there is no folder" in nowhere.err[0]
