"""The room: reads a message, does what it says or answers it, and begins again."""

from cli.answering import Speaker
from cli.chat_room.line_editor import LineEditor
from cli.chat_room.slash_commands import Leave, carry_out
from cli.client.errors import ApiError
from cli.conversation import Conversation
from cli.errors import InputError
from cli.terminal import console, errors

HINT = "/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends."


class Room:
    """A person and a model."""

    def __init__(self, conversation: Conversation, speaker: Speaker, editor: LineEditor):
        self._conversation = conversation
        self._speaker = speaker
        self._editor = editor

    def hold(self) -> None:
        """Until the person leaves. What the server refuses is said, and the next message may do better."""
        where = self._conversation.session_id or "a new session"
        console.print(f"{self._conversation.model}, {where}. {HINT}", style="dim")
        draft: str | None = None
        while True:
            try:
                typed = self._editor.read(draft or "").strip()
            except KeyboardInterrupt:
                draft = None
                continue
            except EOFError:
                break
            is_edit, draft = draft is not None, None
            try:
                draft = self._react(typed, is_edit=is_edit)
            except Leave:
                break
            except (ApiError, InputError) as error:
                errors.print(str(error), style="red")
            except KeyboardInterrupt:
                errors.print("[stopped]", style="dim")
        if self._conversation.session_id:
            console.print(f"drover chat --session {self._conversation.session_id} goes on here.", style="dim")

    def _react(self, typed: str, *, is_edit: bool) -> str | None:
        """Answers a draft of the next message, None where the next line begins empty."""
        if typed.startswith("/") and not typed.startswith("//"):
            again = carry_out(typed, self._conversation)
            if again is None:
                return None
            if again.is_draft:
                return again.text
            typed, is_edit = again.text, True
        elif not typed:
            return None
        if is_edit:
            self._conversation.fork_before_last_words()
            console.print(f"in the fork {self._conversation.session_id}; the other stays as it is", style="dim")
        self._say(typed.removeprefix("/") if typed.startswith("//") else typed)
        return None

    def _say(self, text: str) -> None:
        try:
            generation = self._conversation.say(text, self._speaker.status.show)
            self._speaker.say(generation, "content", session_id=self._conversation.session_id)
        except ApiError:
            self._conversation.take_back()
            raise
