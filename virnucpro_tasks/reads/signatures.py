"""Signatures (first bytes) of file formats other than FASTA and FASTQ, with a hint for each."""

from __future__ import annotations

import re

from virnucpro_tasks.errors import InputError

HEAD_BYTES = 1024
"""Number of leading bytes that every signature here fits into."""

_TAR_MAGICS = (b"ustar\0", b"ustar  \0")
_TAR_MAGIC_OFFSET = 257

_ARCHIVE_HINT = "unpack it and give the FASTA or FASTQ files inside"
_ALIGNMENT_HINT = "make FASTQ of it first, for example with 'samtools fastq'"
_CONVERT_HINT = "convert it to FASTA first, for example with Biopython or any2fasta"
_DOWNLOAD_HINT = "a download may have saved an error page; look at the file and fetch it again"
_RECOMPRESS_HINT = "unpack it, or compress it with gzip, bzip2, xz or zstd"

#: (first bytes, name of the format, hint)
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive", _ARCHIVE_HINT),
    (b"PK\x05\x06", "an empty zip archive", _ARCHIVE_HINT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _ARCHIVE_HINT),
    (b"Rar!\x1a\x07", "a RAR archive", _ARCHIVE_HINT),
    (b"\x1f\x9d", "a file made by 'compress' (.Z)", _RECOMPRESS_HINT),
    (b"\x04\x22\x4d\x18", "an lz4 file", _RECOMPRESS_HINT),
    (b"LZIP", "an lzip file", _RECOMPRESS_HINT),
    (b"BAM\x01", "a BAM file", _ALIGNMENT_HINT),
    (b"CRAM", "a CRAM file", _ALIGNMENT_HINT),
    (b"BCF\x02", "a BCF file", "variants hold no sequences to score"),
    (b"@HD\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@SQ\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@RG\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@PG\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@CO\t", "a SAM file", _ALIGNMENT_HINT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (fast5?)", "basecall it to FASTQ first"),
    (b"\x8bPOD\r\n\x1a\n", "a POD5 file", "basecall it to FASTQ first"),
    (b"NCBI.sra", "an SRA archive", "make FASTQ of it first, with 'fasterq-dump'"),
    (b".sff", "an SFF file", _CONVERT_HINT),
    (b"ABIF", "a Sanger trace (ABI)", _CONVERT_HINT),
    (b"\x43\x27\x41\x1a", "a 2bit file", "make FASTA of it first, with 'twoBitToFa'"),
    (b"\x1a\x41\x27\x43", "a 2bit file", "make FASTA of it first, with 'twoBitToFa'"),
    (b"PAR1", "a Parquet file", _CONVERT_HINT),
    (b"%PDF", "a PDF document", ""),
    (b"\x7fELF", "a program", ""),
    (b"LOCUS ", "a GenBank file", _CONVERT_HINT),
    (b"ID   ", "an EMBL file", _CONVERT_HINT),
    (b"##gff-version", "a GFF file", "give the FASTA file that it annotates"),
    (b"##fileformat=VCF", "a VCF file", "variants hold no sequences to score"),
    (b"#NEXUS", "a NEXUS file", _CONVERT_HINT),
    (b"CLUSTAL", "a CLUSTAL alignment", _CONVERT_HINT),
    (b"# STOCKHOLM", "a Stockholm alignment", _CONVERT_HINT),
    (b"{\\rtf", "a word processor's document", "save it as plain text"),
)
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|\?xml|[a-z]+[\s>])", re.IGNORECASE)
_WIDE_TEXT = re.compile(rb"\xff\xfe|\xfe\xff|\x00\x00\xfe\xff|[>@;]\x00|\x00[>@;]|\x00\x00\x00[>@;]")


def refuse_other_formats(head: bytes, *, name: str) -> None:
    """Raise InputError if `head`, the first HEAD_BYTES of an unpacked file, has the signature of another format."""
    if _WIDE_TEXT.match(head):
        raise InputError(
            "this is text in UTF-16 or UTF-32, not plain FASTA/FASTQ",
            file=name,
            line=1,
            hint="save it as plain text (ASCII or UTF-8)",
        )
    for magic, what, hint in _SIGNATURES:
        if head.startswith(magic):
            raise InputError(f"this is {what}, not FASTA/FASTQ", file=name, hint=hint)
    if head[_TAR_MAGIC_OFFSET:].startswith(_TAR_MAGICS):
        raise InputError("this is a tar archive, not FASTA/FASTQ", file=name, hint=_ARCHIVE_HINT)
    if _MARKUP.match(head):
        raise InputError("this is HTML or XML, not FASTA/FASTQ", file=name, line=1, hint=_DOWNLOAD_HINT)
