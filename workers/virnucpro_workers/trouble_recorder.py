"""Records and counts in Redis which workers of this host have died, without keeping their supervisor waiting."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import Any

from virnucpro_tasks.settings import Settings
from virnucpro_tasks.worker_notes import Note, NoteKind

MOST_WAITING = 100


class TroubleRecorder:
    """Takes the notes of a supervisor and records deaths, in a thread that begins with the first one.

    A record is dropped if Redis is away. `gpu_queue` is the queue of the embedding workers, `host` that of all names.
    """

    def __init__(self, settings: Settings, *, host: str, gpu_queue: str) -> None:
        self._settings = settings
        self._host = host
        self._gpu_queue = gpu_queue
        self._waiting: queue.Queue[Note] = queue.Queue(MOST_WAITING)
        self._in_trouble: set[str] = set()
        self._thread: threading.Thread | None = None

    def tell(self, note: Note) -> None:
        """Take a note; does not wait."""
        if note.kind is NoteKind.DIED:
            self._in_trouble.add(note.worker)
        elif note.kind is NoteKind.WORKED and note.worker in self._in_trouble:
            self._in_trouble.discard(note.worker)
        else:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="trouble-recorder", daemon=True)
            self._thread.start()
        with suppress(queue.Full):
            self._waiting.put_nowait(note)

    def _run(self) -> None:
        # Only here: a supervisor whose workers live needs no Celery.
        from virnucpro_tasks.queue.app import make_app

        app = make_app(self._settings)
        while True:
            note = self._waiting.get()
            try:
                self._write(app.backend.client, note)
            except Exception:
                # Redis or the network may raise anything; the next death is recorded again.
                continue

    def _write(self, client: Any, note: Note) -> None:
        from virnucpro_tasks.queue.work_counts import count_death
        from virnucpro_tasks.queue.worker_troubles import clear_trouble, record_trouble

        node = f"{note.worker}@{self._host}"
        if note.kind is NoteKind.WORKED:
            clear_trouble(client, node)
        else:
            its_queue = self._gpu_queue if note.worker.startswith("embed-") else ""
            count_death(client, node)
            record_trouble(client, node=node, queue=its_queue, text=note.text, hint=note.hint)
