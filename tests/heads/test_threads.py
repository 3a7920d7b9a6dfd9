from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from virnucpro_tasks.heads.examples import Examples

Make = Callable[..., Examples]


def test_small_products_are_computed_by_one_thread_even_if_torch_is_loaded_for_them(
    make_examples: Make, tmp_path: Path
) -> None:
    (tmp_path / "examples.pickle").write_bytes(pickle.dumps(make_examples()))
    program = """if True:
        import pickle, sys
        from virnucpro_tasks.heads import mlp

        examples = pickle.load(open(sys.argv[1], "rb"))
        assert "torch" not in sys.modules
        threads = []
        mlp.fit_mlp(
            examples, examples, hidden=4, seed=1, say=lambda _: threads.append(sys.modules["torch"].get_num_threads())
        )
        print(*threads)
        # The compiler of torch, which takes seconds to import.
        assert "torch._dynamo" not in sys.modules
    """
    command = [sys.executable, "-c", program, str(tmp_path / "examples.pickle")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "2"}
    )
    assert set(done.stdout.split()) == {"1"}
