"""What is found in an answer's text: text of its own, and the calls in it."""

from dataclasses import dataclass, field

from shared.bodies.messages import ToolCall


@dataclass(frozen=True, slots=True)
class CallPiece:
    """The next part of one call. `index` counts the answer's calls from 0, `arguments` is what is new of them.

    The first piece of a call `begins` it, the last one `ends` it; both may be one. No other call comes in between.
    """

    index: int
    id: str
    name: str
    arguments: str = ""
    begins: bool = False
    ends: bool = False


@dataclass(slots=True)
class Found:
    """What some text has brought: `pieces` in the order of the answer, and the calls that have ended, whole."""

    pieces: list[str | CallPiece] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)

    @property
    def content(self) -> str:
        """The text that belongs to the answer."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    def add(self, piece: str | CallPiece) -> None:
        """Add a piece; text joins the text before it."""
        if isinstance(piece, str) and self.pieces and isinstance(self.pieces[-1], str):
            self.pieces[-1] += piece
        elif piece != "":
            self.pieces.append(piece)

    def extend(self, later: "Found") -> None:
        """Add what was found behind this."""
        for piece in later.pieces:
            self.add(piece)
        self.calls += later.calls
