"""Whether a browser can be opened for the person who called."""

from __future__ import annotations

import os
import sys


def has_a_screen() -> bool:
    """Without one, a browser would be a text browser in this very terminal."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
