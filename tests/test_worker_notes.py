"""Notes through a pipe: none is waited for, and none is mixed up with another."""

from __future__ import annotations

import os

from virnucpro_tasks.worker_notes import Note, NoteKind, NoteWriter, pipe

DIED = Note("embed-cpu0", NoteKind.DIED, text="was killed by SIGKILL", hint="more memory", status=-9)


def test_notes_arrive_in_order_and_whole() -> None:
    reader, fd = pipe()
    writer = NoteWriter(fd)
    assert reader.read() == []
    writer.write(Note("embed-cpu0", NoteKind.STARTED))
    writer.write(DIED)
    assert reader.read() == [Note("embed-cpu0", NoteKind.STARTED), DIED]
    os.close(fd)
    assert reader.read() == []
    reader.close()


def test_half_a_note_waits_for_its_other_half() -> None:
    reader, fd = pipe()
    os.write(fd, b'{"worker":"embed-cpu0",')
    assert reader.read() == []
    os.write(fd, b'"kind":"ready"}\nnonsense\n')
    assert reader.read() == [Note("embed-cpu0", NoteKind.READY)]
    os.close(fd)
    reader.close()


def test_a_writer_never_waits_for_a_reader() -> None:
    reader, fd = pipe()
    writer = NoteWriter(fd)
    for _ in range(5_000):
        writer.write(DIED)
    assert 100 < len(reader.read()) < 5_000
    reader.close()
    writer.write(DIED)
    os.close(fd)
    NoteWriter(None).write(DIED)


def test_a_long_note_is_cut_to_what_a_pipe_takes_at_once() -> None:
    reader, fd = pipe()
    NoteWriter(fd).write(Note("embed-cpu0", NoteKind.FAILED, text="€" * 10_000))
    (note,) = reader.read()
    assert 100 < len(note.text) < 1_000
    os.close(fd)
    reader.close()
