"""The actions of ``freqai-signals models``, and what each of them takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MODEL_OPTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "registry": {
        "type": Path, "metavar": "DIR", "help": "default: the config's, else below --userdir",
    },
    "key": {
        "type": Path, "metavar": "FILE",
        "help": "of signatures (default: signing.key beside the registry)",
    },
    "scope": {"default": "", "help": "e.g. freqai-signals/pool, if there are many"},
    "json": {"action": "store_true", "help": "print JSON"},
    "reason": {"default": "", "metavar": "TEXT", "help": "kept in the history"},
    "out": {
        "type": Path, "default": Path("export"), "metavar": "DIR",
        "help": "folder to write to (default: export)",
    },
}  # fmt: skip

MODEL_ACTIONS: Final[Mapping[str, tuple[str, tuple[str, str] | None, tuple[str, ...]]]] = {
    "list": ("show all versions, which one serves, and the gate's verdicts", None, ()),
    "show": (
        "show a version's data, settings, metrics, features and history",
        ("VERSION", "default: the serving one"),
        (),
    ),
    "compare": (
        "show what two versions differ in, and both on the rows that neither was trained on",
        ("VERSION", "two of them"),
        (),
    ),
    "rollback": (
        "serve the version that served before the present one in time, never a newer one",
        ("VERSION", "an older version that has served; default: the one before"),
        ("reason",),
    ),
    "pin": (
        "serve this version until `unpin`, whatever the gate accepts",
        ("VERSION", "asked for on a terminal"),
        ("reason",),
    ),
    "unpin": ("let the next accepted model serve again", None, ("reason",)),
    "verify": (
        "check all model files, or a file or exported folder from anywhere; status 1 if any is "
        "damaged",
        ("PATH", "default: the registry's own files"),
        (),
    ),
    "export": (
        "write a version with its card to a folder",
        ("VERSION", "default: the serving one"),
        ("out",),
    ),
}
"""Action to its help, its positional arguments if it takes some, and its own options."""
