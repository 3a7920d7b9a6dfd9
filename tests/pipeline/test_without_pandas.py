from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("there_already", [False, True])
def test_arrow_leaves_pandas_alone_and_others_can_import_it(there_already: bool) -> None:
    code = (
        "import sys\n"
        f"{'import pandas' if there_already else ''}\n"
        "import numpy, pyarrow\n"
        "from virnucpro_tasks.pipeline.without_pandas import settle_without_pandas\n"
        "from virnucpro_tasks.pipeline import without_pandas\n"
        "settle_without_pandas()\n"
        "assert not any(isinstance(finder, without_pandas._NotFound) for finder in sys.meta_path)\n"
        "table = pyarrow.table({'n': pyarrow.array(numpy.arange(3)), 'text': pyarrow.array(['a', 'b', None])})\n"
        "assert table.to_pydict() == {'n': [0, 1, 2], 'text': ['a', 'b', None]}\n"
        f"assert ('pandas' in sys.modules) == {there_already}\n"
        "import pandas\n"
        "assert pandas.DataFrame({'n': [1]}).n.sum() == 1\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
