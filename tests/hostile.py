"""Modules and variables of others, in all places from which Python and the libraries take some."""

from __future__ import annotations

import sys
from pathlib import Path

IMPORTED = ("random", "redis", "token", "tokenize", "celery", "numpy", "kombu", "yaml", "string", "tempfile", "json")
"""Modules that are imported, of the standard library and of others."""

SHADOWS = (*IMPORTED, "celeryconfig", "flowerconfig", "django_settings", "shop", "virnucpro_workers")
"""The same, and those that would be imported if a variable or a file said so."""

AT_START = ("sitecustomize", "usercustomize")
"""Modules that an interpreter imports before it runs anything."""

COMPUTING = ("torch", "tokenizers", "tqdm", "pynvml")
"""Modules that only a worker imports."""

MARK = "import os; open(os.environ['MARK'], 'a').write(__file__ + '\\n'); raise ImportError('foreign')\n"

PYTHON_VARIABLES = {
    "PYTHONSTARTUP": "{folder}/random.py",
    "PYTHONWARNINGS": "error::flowerconfig.Warning",
    "PYTHONBREAKPOINT": "celeryconfig.stop",
    "PYTHONPYCACHEPREFIX": "{folder}",
    "PYTHONOPTIMIZE": "2",
    "PYTHONCASEOK": "1",
}
"""What they say changes imports; an interpreter that obeys them still starts."""

FOREIGN_VARIABLES = {
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "CELERY_BROKER_READ_URL": "redis://127.0.0.1:1/0",
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/0",
    "CELERY_CONFIG_MODULE": "celeryconfig",
    "CELERY_LOADER": "django",
    "CELERY_CUSTOM_WORKER_POOL": "shop:Pool",
    "CELERY_LOG_LEVEL": "loud",
    "CELERY_BENCH_EVERY": "often",
    "CELERYD_HIJACK_ROOT_LOGGER": "0",
    "APP": "shop",
    "BROKER_URL": "amqp://127.0.0.1:1",
    "RESULT_BACKEND": "db+sqlite://",
    "LOADER": "shop",
    "CONFIG_MODULE": "celeryconfig",
    "SKIP_CHECKS": "sometimes",
    "KOMBU_LOG_DEBUG": "1",
    "KOMBU_LOG_CHANNEL": "1",
    "PICKLE_PROTOCOL": "newest",
    "C_STRICT_APP": "1",
    "C_FORCE_ROOT": "1",
    "EVENTLET_NOBLOCK": "never",
    "AUTOSCALE_KEEPALIVE": "long",
    "DJANGO_SETTINGS_MODULE": "django_settings",
    "REMAP_SIGTERM": "SIGQUIT",
    "FORKED_BY_MULTIPROCESSING": "1",
    "MP_MAIN_FILE": "/nowhere",
    "_MP_FORK_LOGLEVEL_": "10",
    "PROMETHEUS_MULTIPROC_DIR": "/nowhere",
}
"""Read by Celery, its command line, kombu, billiard or Flower."""

HARMLESS_VARIABLES = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "REDIS_HOST": "127.0.0.1",
    "REDISCLI_AUTH": "secret",
    "http_proxy": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "OMP_NUM_THREADS": "many",
    "MKL_NUM_THREADS": "-3",
    "NO_COLOR": "please",
    "COLUMNS": "wide",
    "TZ": "Nowhere/Nothing",
    "LANG": "xx_YY",
    "TMPDIR": "/nowhere",
    "TERM": "unknown",
}
"""Of others as well, but read by nothing that they could break."""


def fill(folder: Path, *names: str) -> Path:
    """Fill a folder with modules that leave a mark in the file which MARK names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(MARK)
    return folder


def user_site(base: Path) -> Path:
    """Where Python looks for packages of this user if PYTHONUSERBASE is `base`."""
    return base / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def python_variables(folder: Path) -> dict[str, str]:
    """PYTHON* variables that name `folder` and change imports."""
    return {name: value.format(folder=folder) for name, value in PYTHON_VARIABLES.items()}
