from __future__ import annotations

from training.unseen import trained_genera, unseen_rows


def test_others_of_a_genus_that_trained_are_dropped_and_viruses_are_not(tmp_path):
    splits, labels = tmp_path / "splits.tsv", tmp_path / "labels.tsv"
    splits.write_text(
        "id\tlabel\tgroup\ttaxon\tsplit\n"
        "a\tothers\to_escherichia\tBacteria\ttrain\n"
        "b\tothers\to_bos\tvertebrates\ttest\n"
        "c\tvirus\to_mus\tx\ttrain\n"
    )
    labels.write_text(
        "id\tlabel\tname\n"
        "1\tothers\tEscherichia coli plasmid pO157\n"
        "2\tothers\tBos taurus\n"
        "3\tothers\tMus musculus BAC\n"
        "4\tvirus\tEscherichia phage lambda\n"
    )
    genera = trained_genera(splits)
    assert genera == {"escherichia"}
    assert [row["id"] for row in unseen_rows(labels, genera)] == ["2", "3", "4"]
