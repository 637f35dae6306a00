"""How models write tool calls into their text, and how they are read back out of it."""

from shared.tool_calls.formats import (
    FORMATS,
    HERMES,
    MARKS,
    MISTRAL,
    TAG,
    ToolFormat,
    format_of,
    instructions,
    knows_tools,
)
from shared.tool_calls.found import CallPiece, Found
from shared.tool_calls.reading import ToolCallReader, read_answer

__all__ = [
    "FORMATS",
    "HERMES",
    "MARKS",
    "MISTRAL",
    "TAG",
    "CallPiece",
    "Found",
    "ToolCallReader",
    "ToolFormat",
    "format_of",
    "instructions",
    "knows_tools",
    "read_answer",
]
