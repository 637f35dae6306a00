"""llama.cpp's log, sent to Python's logging instead of stderr."""

import atexit
import ctypes
import logging
import threading

import llama_cpp

_log = logging.getLogger("llama.cpp")
# ggml's levels: 1 debug, 2 info, 3 warning, 4 error, 5 continues the line before. It speaks at length of every load, so
# its info is our debug.
_LEVELS = {3: logging.WARNING, 4: logging.ERROR}
_lines = threading.local()


def last_complaint() -> str:
    """The last warning or error that llama.cpp logged in this thread since `forget_complaints`, or ""."""
    return str(getattr(_lines, "complaint", ""))


def forget_complaints() -> None:
    _lines.complaint = ""


def _forward(level: int, text: bytes, _user_data: object) -> None:
    try:
        line = text.decode(errors="replace").strip()
        severity = _LEVELS.get(level, logging.DEBUG)
        if severity >= logging.WARNING and line:
            _lines.complaint = line
        if line and line != ".":
            # An error of llama.cpp comes back as a failed call, and whoever called says how bad that is.
            _log.log(min(severity, logging.WARNING), "%s", line)
    except Exception:
        return  # an exception must not cross into C


def _silent(_level: int, _text: bytes, _user_data: object) -> None:
    return


# Kept for ever: llama.cpp holds the bare pointers.
_callback = llama_cpp.llama_log_callback(_forward)
_silent_callback = llama_cpp.llama_log_callback(_silent)
_nothing = ctypes.c_void_p(0)


def install() -> None:
    """From now on llama.cpp logs through Python, until the interpreter ends."""
    llama_cpp.llama_log_set(_callback, _nothing)
    # Logging may be torn down before the last model is freed.
    atexit.register(llama_cpp.llama_log_set, _silent_callback, _nothing)
