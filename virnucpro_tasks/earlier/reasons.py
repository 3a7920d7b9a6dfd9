"""Why a file, or a vector, of earlier work is not taken over."""

from __future__ import annotations

from enum import StrEnum

from virnucpro_tasks.jobs.imported import REPEATED


class Reason(StrEnum):
    """Why a vector is discarded; its words follow a count in reports."""

    UNKNOWN_ID = "have an id that no frame of this input has"
    AMBIGUOUS_ID = "have an id that two frames of this input have"
    OTHER_SEQUENCE = "have an id that stands for another sequence in the folder"
    OTHER_LENGTH = "have an id whose sequence has another length in the folder"
    URACIL = "are of records with U, which the earlier tools do not read"
    LONG_PROTEIN = "are of proteins that the earlier tools cut or computed differently"
    OTHER_WIDTH = "are not as wide as those of the bundle: of another model"
    NOT_FINITE = "hold NaN or infinity"
    MAY_BE_RESUMED = "are of workers that were or may have been resumed, which attach vectors to wrong ids"
    CONTRADICTED = "differ from another vector of the same sequence in the folder"
    REPEATED = REPEATED


class UnusableError(Exception):
    """A file of earlier work that is not used, as a whole; the text says why and is safe to print."""
