"""The command lines of earlier versions of VirNucPro, handed on to virnucpro-tasks."""
