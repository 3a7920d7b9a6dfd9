"""Signatures (first bytes) of file formats that are not read, and for each what to do with it."""

from __future__ import annotations

import re

from virnucpro_tasks.errors import InputError
from virnucpro_tasks.reads.hints import shell_name

HEAD_BYTES = 1024
"""Number of leading bytes that every signature here fits into."""

_TAR_MAGICS = (b"ustar\0", b"ustar  \0")
_TAR_MAGIC_OFFSET = 257
_ZIP_MEMBER_OFFSET = 30

# Commands name the file as a shell takes it.
_UNPACK = "unpack it, for example with '{}', and give the FASTA or FASTQ files inside"
_ALIGNMENT_HINT = "make BAM of it first, which is read: samtools view -b -o reads.bam {file}"
_CONVERT_HINT = "convert it to FASTA first, for example: any2fasta {file} > converted.fasta"
_BIOPYTHON_HINT = "convert it to FASTA first, for example with Biopython"
_ALIGNED_HINT = "make FASTA without gaps of it first, for example with EMBOSS: degapseq {file} converted.fasta"
_BASECALL_HINT = "basecall it first, for example: dorado basecaller sup {file} --emit-fastq > reads.fastq"
_TWO_BIT_HINT = "make FASTA of it first: twoBitToFa {file} converted.fasta"
_INDEX_HINT = "give the file that it belongs to"
_DOWNLOAD_HINT = "a download may have saved an error page; look at the file and fetch it again"
_DOCUMENT_HINT = "export its sequences as plain text"
_VARIANTS_HINT = "variants hold no sequences to score"
_NO_SEQUENCES_HINT = "give the FASTA or FASTQ file"

#: (first bytes, name of the format, hint)
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive", _UNPACK.format("unzip {file}")),
    (b"PK\x05\x06", "an empty zip archive", _NO_SEQUENCES_HINT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK.format("7z x {file}")),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK.format("unrar x {file}")),
    (b"!<arch>\n", "an archive of 'ar'", _UNPACK.format("ar x {file}")),
    (b"\x1f\x9d", "a file made by 'compress' (.Z)", "unpack it: gunzip < {file} > unpacked.fasta"),
    (b"\x04\x22\x4d\x18", "an lz4 file", "unpack it: lz4 -d {file} unpacked.fasta"),
    (b"LZIP", "an lzip file", "unpack it: lzip -d < {file} > unpacked.fasta"),
    (b"CRAM", "a CRAM file", _ALIGNMENT_HINT),
    (b"BCF\x02", "a BCF file", _VARIANTS_HINT),
    (b"BAI\x01", "an index of a BAM file", _INDEX_HINT),
    (b"CSI\x01", "an index of a BAM or VCF file", _INDEX_HINT),
    (b"TBI\x01", "an index of tabix", _INDEX_HINT),
    (b"MMI\x02", "an index of minimap2", "give the FASTA file that it was made from"),
    (b"@HD\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@SQ\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@RG\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@PG\t", "a SAM file", _ALIGNMENT_HINT),
    (b"@CO\t", "a SAM file", _ALIGNMENT_HINT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (fast5?)", "basecall it to FASTQ first, for example with dorado"),
    (b"\x8bPOD\r\n\x1a\n", "a POD5 file", _BASECALL_HINT),
    (b"NCBI.sra", "an SRA archive", "make FASTQ of it first: fasterq-dump {file}"),
    (b".sff", "an SFF file", _BIOPYTHON_HINT),
    (b"ABIF", "a Sanger trace (ABI)", _BIOPYTHON_HINT),
    (b"\x09\x00\x00\x00\x0eSnapGene", "a SnapGene file", _BIOPYTHON_HINT),
    (b"\x43\x27\x41\x1a", "a 2bit file", _TWO_BIT_HINT),
    (b"\x1a\x41\x27\x43", "a 2bit file", _TWO_BIT_HINT),
    (b"crypt4gh", "a file encrypted by Crypt4GH", "decrypt it first: crypt4gh decrypt --sk KEY < {file} > plain.fasta"),
    (b"-----BEGIN PGP", "a file encrypted or signed by PGP", "decrypt it first: gpg --decrypt {file} > plain.fasta"),
    (b"PAR1", "a Parquet file", _DOCUMENT_HINT),
    (b"SQLite format 3\x00", "an SQLite database", _DOCUMENT_HINT),
    (b"\x93NUMPY", "a NumPy array", _NO_SEQUENCES_HINT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.doc, .xls)", _DOCUMENT_HINT),
    (
        b"\x00\x05\x16\x07",
        "a macOS companion file (AppleDouble)",
        "give the file without '._' in its name",
    ),
    (b"%PDF", "a PDF document", _DOCUMENT_HINT),
    (b"\x89PNG", "an image", _NO_SEQUENCES_HINT),
    (b"\xff\xd8\xff", "an image", _NO_SEQUENCES_HINT),
    (b"GIF8", "an image", _NO_SEQUENCES_HINT),
    (b"\x7fELF", "a program", _NO_SEQUENCES_HINT),
    (b"#!", "a script", _NO_SEQUENCES_HINT),
    (b"LOCUS ", "a GenBank file", _CONVERT_HINT),
    (b"ID   ", "an EMBL file", _CONVERT_HINT),
    (b"##gff-version", "a GFF file", "give the FASTA file that it annotates"),
    (b"##sequence-region", "a GFF file", "give the FASTA file that it annotates"),
    (b"##fileformat=VCF", "a VCF file", _VARIANTS_HINT),
    (b"#CHROM\tPOS\t", "a VCF file", _VARIANTS_HINT),
    (b"##maf", "a MAF alignment", "give the FASTA files that it aligns"),
    (b"#NEXUS", "a NEXUS file", _ALIGNED_HINT),
    (b"CLUSTAL", "a CLUSTAL alignment", _ALIGNED_HINT),
    (b"MUSCLE (", "a CLUSTAL alignment", _ALIGNED_HINT),
    (b"# STOCKHOLM", "a Stockholm alignment", _ALIGNED_HINT),
    (b"!!NA_MULTIPLE_ALIGNMENT", "an MSF alignment", _ALIGNED_HINT),
    (b"PileUp", "an MSF alignment", _ALIGNED_HINT),
    (b"{\\rtf", "a word processor's document", "save it as plain text"),
)
_OFFICE_MEMBERS = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/")
_OPEN_DOCUMENT_MEMBER = b"mimetypeapplication/vnd.oasis."
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|\?xml|[a-z]+[\s>])", re.IGNORECASE)

#: (first bytes, name of the encoding for iconv); the longer ones come first
_WIDE_TEXT: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff"), "UTF-32"),
    (re.compile(rb"[>@;]\x00\x00\x00"), "UTF-32LE"),
    (re.compile(rb"\x00\x00\x00[>@;]"), "UTF-32BE"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16"),
    (re.compile(rb"[>@;]\x00"), "UTF-16LE"),
    (re.compile(rb"\x00[>@;]"), "UTF-16BE"),
)


def refuse_other_formats(head: bytes, *, name: str) -> None:
    """Raise InputError if `head`, the first HEAD_BYTES of an unpacked file, has the signature of another format."""
    for pattern, encoding in _WIDE_TEXT:
        if pattern.match(head):
            raise InputError(
                "this is text in UTF-16 or UTF-32, not plain FASTA/FASTQ",
                file=name,
                line=1,
                hint=f"save it as plain text: iconv -f {encoding} -t UTF-8 {shell_name(name)} > plain.fasta",
            )
    if found := _signature_of(head):
        what, hint = found
        raise InputError(f"this is {what}, not FASTA/FASTQ", file=name, hint=hint.format(file=shell_name(name)))
    if _MARKUP.match(head):
        raise InputError("this is HTML or XML, not FASTA/FASTQ", file=name, line=1, hint=_DOWNLOAD_HINT)


def _signature_of(head: bytes) -> tuple[str, str] | None:
    """Name of the format and hint; None if there is no signature."""
    if head.startswith(b"PK\x03\x04"):
        member = head[_ZIP_MEMBER_OFFSET:]
        if member.startswith(_OFFICE_MEMBERS):
            return "an Office document (.docx, .xlsx)", _DOCUMENT_HINT
        if member.startswith(_OPEN_DOCUMENT_MEMBER):
            return "an OpenDocument file (.odt, .ods)", _DOCUMENT_HINT
    if head[_TAR_MAGIC_OFFSET:].startswith(_TAR_MAGICS):
        return "a tar archive", _UNPACK.format("tar -xf {file}")
    return next(((what, hint) for magic, what, hint in _SIGNATURES if head.startswith(magic)), None)
