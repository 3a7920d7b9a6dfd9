"""Poison for the workers of a test, imported at the start of each process of the interpreter of `faulty_python`.

A protein with eight times the same letter of FAULTS does to the process that embeds it what the fault says. Nothing of
this is in the package: the encoder is wrapped as soon as its module has been imported.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

FAULTS = {"W": "exit", "K": "raise", "Q": "hang", "D": "memory", "Y": "nan", "T": "kill"}
RUN = 8


def break_splitting(splitting_module):
    """With the fault `split` whoever splits a job ends at once."""
    split = splitting_module._split

    def broken(job):
        if "split" in active_faults():
            os._exit(7)
        return split(job)

    splitting_module._split = broken


def kill_while_loading(loading_module):
    """With the fault `loading` a process that loads the models is killed, as for lack of memory."""
    load_engine = loading_module.load_engine

    def killed(*arguments, **options):
        if "loading" in active_faults():
            strike("kill")
        return load_engine(*arguments, **options)

    loading_module.load_engine = killed


def poison(encoder_module):
    import numpy as np

    from virnucpro_tasks.embed.tokens import FIRST_RESIDUE_ID, RESIDUES

    marks = {
        np.full(RUN, FIRST_RESIDUE_ID + RESIDUES.index(letter)).tobytes(): fault for letter, fault in FAULTS.items()
    }
    encode = encoder_module.Encoder.encode

    def poisoned(self, tokens, *, should_stop, tell_share=None):
        if self.name == "esm2":
            damaged_result = []
            start = 0
            active = active_faults()
            for index, length in enumerate(tokens.lengths.tolist()):
                ids = tokens.ids[start : start + length].tobytes()
                start += length
                for mark, fault in marks.items():
                    if fault in active and mark in ids:
                        strike(fault)
                        damaged_result.append(index)
            if damaged_result:
                raise encoder_module.NonFiniteError(self.name, damaged_result)
        delay_seconds = slow_seconds()
        if delay_seconds and self.name == "esm2" and tokens.lengths.size > 1:
            time.sleep(delay_seconds)
        return encode(self, tokens, should_stop=should_stop, tell_share=tell_share)

    encoder_module.Encoder.encode = poisoned
    if "TEST_REMEMBERS" in os.environ:
        encoder_module.Encoder._run = remembering(encoder_module.Encoder._run)


def remembering(run):
    """With TEST_REMEMBERS a process computes each pack once, by its tokens and lengths: later jobs cost no time."""
    known = {}

    def remembered(self, model, tokens, pack):
        key = id(model), tokens.select(pack.indices).tobytes(), tokens.lengths[pack.indices].tobytes()
        if key not in known:
            known[key] = run(self, model, tokens, pack)
        return known[key]

    return remembered


def active_faults():
    """TEST_FAULTS: names with commas between them."""
    return asked("TEST_FAULTS").split(",")


def slow_seconds():
    """TEST_SLOW_SECONDS: what a shard takes longer."""
    return float(asked("TEST_SLOW_SECONDS", "0"))


def asked(name, default=""):
    """A variable, or what is in the file that it names, which may change meanwhile."""
    value = os.environ.get(name, default)
    return Path(value).read_text() if Path(value).is_absolute() else value


def strike(fault):
    if fault == "exit":
        os._exit(7)
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "raise":
        raise RuntimeError("this sequence cannot be embedded")
    if fault == "memory":
        raise MemoryError("no memory for this sequence")
    if fault == "hang":
        while True:
            time.sleep(3600)


WRAPPED = {
    "virnucpro_tasks.embed.encoder": poison,
    "virnucpro_tasks.pipeline.split": break_splitting,
    "virnucpro_tasks.pipeline.load_engine": kill_while_loading,
}


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module, harm):
        self.module, self.harm = module, harm

    def find_spec(self, name, path=None, target=None):
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            self.harm(module)

        spec.loader.exec_module = exec_module
        return spec


if "TEST_FAULTS" in os.environ:
    for wrapped, harm in WRAPPED.items():
        sys.meta_path.insert(0, Finder(wrapped, harm))
