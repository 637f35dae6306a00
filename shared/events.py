"""The events on a job's stream: written once by the worker, kept in the token log and sent on the channel as they are.

Wire form (JSON, the same bytes in the log and on the channel):

    tokens  {"j": job id, "s": first seq, "e": epoch, "i": [token ids], "t": [text of each token]}
    final   {"j": job id, "s": last seq, "e": epoch, "x": text held back until now, "r": finish reason,
             "u": [prompt tokens, completion tokens, cached tokens], "err": null or OpenAI's error object}
    stored  {"j": job id, "stored": true}                      (channel only)

`seq` counts tokens from 1 without gaps. A token whose text is held back (partial UTF-8, a possible stop string) has the
text ""; what was held back comes with a later token or in the final event's "x". Stream ids in `tok:<id>`:
`<last seq of the event>-0` for tokens, `<last seq>-1` for the final event.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import orjson

from shared.errors import UpstreamError

FinishReason = Literal["stop", "length", "tool_calls", "cancelled", "error"]
FINISH_REASONS: tuple[str, ...] = get_args(FinishReason)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one job. `cached_tokens` are those of the prompt that were already in the KV cache."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokensEvent:
    """Some consecutive tokens: `token_ids` and `texts` have the same length, at least 1."""

    job_id: str
    first_seq: int
    epoch: int
    token_ids: list[int]
    texts: list[str]

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.token_ids) - 1

    def after(self, seq: int) -> "TokensEvent":
        """The part of this event that comes after `seq`; seq must be < last_seq."""
        skip = max(0, seq + 1 - self.first_seq)
        if not skip:
            return self
        return TokensEvent(self.job_id, self.first_seq + skip, self.epoch, self.token_ids[skip:], self.texts[skip:])

    def encode(self) -> bytes:
        return orjson.dumps(
            {"j": self.job_id, "s": self.first_seq, "e": self.epoch, "i": self.token_ids, "t": self.texts}
        )


@dataclass(frozen=True, slots=True)
class FinalEvent:
    """The end of a job. `last_seq` is the number of tokens that the log holds."""

    job_id: str
    last_seq: int
    epoch: int
    finish_reason: FinishReason
    text: str = ""
    usage: Usage = field(default_factory=Usage)
    error: dict[str, Any] | None = None

    def encode(self) -> bytes:
        usage = [self.usage.prompt_tokens, self.usage.completion_tokens, self.usage.cached_tokens]
        return orjson.dumps(
            {
                "j": self.job_id,
                "s": self.last_seq,
                "e": self.epoch,
                "x": self.text,
                "r": self.finish_reason,
                "u": usage,
                "err": self.error,
            }
        )


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """The session service has committed the assistant message of this job."""

    job_id: str

    def encode(self) -> bytes:
        return orjson.dumps({"j": self.job_id, "stored": True})


Event = TokensEvent | FinalEvent | StoredEvent


def decode(data: bytes | str) -> Event:
    """The event in its wire form; unknown fields are ignored. Raises UpstreamError for anything else."""
    try:
        raw = orjson.loads(data)
        if "i" in raw:
            return TokensEvent(raw["j"], raw["s"], raw["e"], raw["i"], raw["t"])
        if "r" in raw:
            return FinalEvent(raw["j"], raw["s"], raw["e"], raw["r"], raw["x"], Usage(*raw["u"]), raw["err"])
        if "stored" in raw:
            return StoredEvent(raw["j"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UpstreamError("An event on a job's stream is not readable.") from error
    raise UpstreamError("An event on a job's stream is of an unknown kind.")
