"""A conversation with a model: the session on the server that keeps it, and what the next message goes with."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cli.client.api import Api
from cli.client.errors import ApiError
from cli.client.generation import Generation, Listener
from cli.sampling import Sampling

TITLE_CHARACTERS = 60


@dataclass
class Conversation:
    """`session_id` is '' until the first message, which opens the session and gives it its title.

    `system` goes with a session's next message and stays with it from then on.
    """

    api: Api
    model: str
    session_id: str = ""
    system: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    _is_system_told: bool = False
    _is_session_new: bool = False

    def say(self, text: str, on_waiting: Listener) -> Generation:
        """The model's answer to `text`. Raises ApiError."""
        if not self.session_id:
            self.session_id = self.api.sessions.create(title=title_of(text))
            self._is_session_new = True
        messages = [{"role": "user", "content": text}]
        if self.system is not None and not self._is_system_told:
            messages.insert(0, {"role": "system", "content": self.system})
            self._is_system_told = True
        body: dict[str, Any] = {
            "model": self.model,
            "session_id": self.session_id,
            "messages": messages,
            **self.sampling.fields(),
        }
        return self.api.chat(body, on_waiting)

    def instruct(self, system: str) -> None:
        """Give the session another system message, from the next message on."""
        self.system, self._is_system_told = system, False

    def begin_anew(self) -> None:
        """Leave the session as it is; the next message opens another one, with the same system message."""
        self.session_id, self._is_system_told = "", False

    def take_back(self) -> None:
        """The server has refused the message: a session that was opened for it and holds nothing goes again."""
        self._is_system_told = False
        if not self._is_session_new:
            return
        with suppress(ApiError):  # it is the refusal that is to be told
            if self.api.sessions.get(self.session_id).get("message_count") == 0:
                self.api.sessions.delete(self.session_id)
                self.session_id = ""

    def switch_to(self, words: str) -> dict[str, Any]:
        """Go on with the session that `words` mean; answers it. Raises ApiError."""
        session = self.api.sessions.get(self.api.sessions.find(words))
        self.session_id, self.system, self._is_session_new = str(session["id"]), None, False
        return session

    def last_words(self) -> tuple[str, str]:
        """Id and text of the user's last message. Raises ApiError where there is none."""
        if self.session_id:
            for message in self.api.sessions.messages(self.session_id, is_newest_first=True):
                if message["role"] == "user":
                    return str(message["id"]), text_of(message)
        raise ApiError("Nothing has been said in this session yet.")

    def fork_before_last_words(self) -> str:
        """Go on in a new session that ends before the user's last message; answers that message."""
        message_id, text = self.last_words()
        self.session_id = str(self.api.sessions.fork(self.session_id, message_id, is_before=True)["id"])
        return text


def title_of(text: str) -> str:
    """The beginning of the first line that says something."""
    line = " ".join(text.strip().partition("\n")[0].split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"


def text_of(message: dict[str, Any]) -> str:
    """A stored message's content in one piece."""
    content = message["content"] or ""
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)
