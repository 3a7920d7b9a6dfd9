from __future__ import annotations

import numpy as np

from benchmarks.accuracy.cut import Contig
from benchmarks.accuracy.parts import ALL, REST, parts


def test_parts_by_length_and_kind(contigs: list[Contig]) -> None:
    found = dict(parts(contigs))
    assert list(found)[:2] == [ALL, REST]
    assert {name for name in found if " to " in name and REST not in name} == {"0 to 499", "500 to 999", "1000 to 2999"}
    kinds = np.array([contig.source.kind for contig in contigs])
    virus = np.array([contig.source.virus for contig in contigs])
    lengths = np.array([len(contig.sequence) for contig in contigs])
    np.testing.assert_array_equal(
        found["phage against bacteria and archaea"], np.isin(kinds, ["phage", "bacteria", "archaea"])
    )
    np.testing.assert_array_equal(found["phage against all others"], (kinds == "phage") | ~virus)
    np.testing.assert_array_equal(found["archaea against all viruses"], (kinds == "archaea") | virus)
    np.testing.assert_array_equal(found[f"0 to 499, {REST}"], (lengths < 500) & ~np.isin(kinds, ["phage", "archaea"]))
    # There are no plasmids to set phages against.
    assert "phage against bacteria, archaea and plasmids" not in found
    assert sum(found[f"{low} to {high}"].sum() for low, high in ((0, 499), (500, 999), (1000, 2999))) == len(contigs)


def test_one_length_is_one_part_and_a_part_of_one_class_is_none(contigs: list[Contig]) -> None:
    short = [contig for contig in contigs if contig.lengths == "400"]
    assert not any(" to " in name for name, _ in parts(short))
    assert list(parts([contig for contig in contigs if contig.source.virus])) == []
