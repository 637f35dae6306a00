"""The events on a job's stream: written once by the worker, kept in the token log and sent on the channel as they are.

Wire form (JSON, the same bytes in the log and on the channel):

    tokens  {"j": job id, "s": first seq, "e": epoch, "i": [token ids], "t": [text of each token]},
            "c": [choice of each token]                   only in a job of several choices
            "lp": [[[id, logprob, bytes as Latin-1], …] of each token]   only where logprobs are wanted: the chosen
                                                          token first, then the likeliest ones, likeliest first
    final   {"j": job id, "s": last seq, "e": epoch, "x": text held back until now, "r": finish reason,
             "u": [prompt tokens, completion tokens, cached tokens], "err": null or OpenAI's error object},
            "o": [[finish reason, text held back] of choice 1, 2, …]      only in a job of several choices
            "st": the stop string that ended choice 0              only if one did
    stored  {"j": job id, "stored": true}                      (channel only)

`seq` counts tokens of all choices from 1 without gaps; with `echo` the prompt's tokens count too: they are the first
tokens of every choice. In a job of several choices the token that ends one (the model's end of answer) is logged as its
last, with the text "": a continued job knows from it which choices are over. `usage` counts neither echo nor end token.
In a job that wants logprobs the list of a token that has none is empty: the first of an echoed prompt, an end token.
A token whose text is held back (partial UTF-8, a possible stop string) has the text ""; what was held back comes with a
later token or in the final event's "x". Stream ids in `tok:<id>`: `<last seq of the event>-0` for tokens,
`<last seq>-1` for the final event.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

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


MIN_LOGPROB = -9999.0
"""OpenAI's "very unlikely": JSON has no minus infinity."""


class TokenLogprob(NamedTuple):
    """A token at one position with its natural logarithm of probability, MIN_LOGPROB at least."""

    token_id: int
    logprob: float
    bytes: bytes


class ChoiceEnd(NamedTuple):
    """How one choice ended, and its text that was held back until then."""

    finish_reason: FinishReason
    text: str


@dataclass(frozen=True, slots=True)
class TokensEvent:
    """Some consecutive tokens: `token_ids` and `texts` have the same length, at least 1; so have the others if given.

    `choices`: which choice each token belongs to, None: all to choice 0. `logprobs`: for each token its own first,
    then those of the likeliest tokens at its place.
    """

    job_id: str
    first_seq: int
    epoch: int
    token_ids: list[int]
    texts: list[str]
    choices: list[int] | None = None
    logprobs: list[list[TokenLogprob]] | None = None

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.token_ids) - 1

    def after(self, seq: int) -> "TokensEvent":
        """The part of this event that comes after `seq`; seq must be < last_seq."""
        skip = max(0, seq + 1 - self.first_seq)
        if not skip:
            return self
        return TokensEvent(
            self.job_id,
            self.first_seq + skip,
            self.epoch,
            self.token_ids[skip:],
            self.texts[skip:],
            None if self.choices is None else self.choices[skip:],
            None if self.logprobs is None else self.logprobs[skip:],
        )

    def choice_at(self, place: int) -> int:
        """Which choice the token at this place of the event belongs to."""
        return 0 if self.choices is None else self.choices[place]

    def runs(self, cut_after: int = 0) -> Iterator[tuple[int, int]]:
        """Where runs of one choice's tokens begin, and before which place they end; none goes past seq `cut_after`."""
        count, cut = len(self.token_ids), cut_after + 1 - self.first_seq
        if self.choices is None and not 0 < cut < count:  # nearly every event: no look at each of its tokens
            yield 0, count
            return
        first = 0
        for place in range(1, count + 1):
            is_other = place < count and self.choices is not None and self.choices[place] != self.choices[first]
            if place in (count, cut) or is_other:
                yield first, place
                first = place

    def encode(self) -> bytes:
        raw: dict[str, Any] = {
            "j": self.job_id,
            "s": self.first_seq,
            "e": self.epoch,
            "i": self.token_ids,
            "t": self.texts,
        }
        if self.choices is not None:
            raw["c"] = self.choices
        if self.logprobs is not None:
            raw["lp"] = [
                [[token.token_id, token.logprob, token.bytes.decode("latin-1")] for token in tokens]
                for tokens in self.logprobs
            ]
        return orjson.dumps(raw)


def joined(events: Sequence[TokensEvent]) -> TokensEvent:
    """Consecutive events of one life of a job as one event."""
    first = events[0]
    if len(events) == 1:
        return first
    return TokensEvent(
        first.job_id,
        first.first_seq,
        first.epoch,
        [token for event in events for token in event.token_ids],
        [text for event in events for text in event.texts],
        None if first.choices is None else [choice for event in events for choice in event.choices or ()],
        None if first.logprobs is None else [tokens for event in events for tokens in event.logprobs or ()],
    )


@dataclass(frozen=True, slots=True)
class FinalEvent:
    """The end of a job. `last_seq` is the number of tokens that the log holds.

    `finish_reason` and `text` are those of choice 0, `others` those of the further choices; a job that fails fails as
    a whole. `stop` is the stop string that ended choice 0, None if it was none.
    """

    job_id: str
    last_seq: int
    epoch: int
    finish_reason: FinishReason
    text: str = ""
    usage: Usage = field(default_factory=Usage)
    error: dict[str, Any] | None = None
    others: tuple[ChoiceEnd, ...] = ()
    stop: str | None = None

    def encode(self) -> bytes:
        raw: dict[str, Any] = {
            "j": self.job_id,
            "s": self.last_seq,
            "e": self.epoch,
            "x": self.text,
            "r": self.finish_reason,
            "u": [self.usage.prompt_tokens, self.usage.completion_tokens, self.usage.cached_tokens],
            "err": self.error,
        }
        if self.others:
            raw["o"] = [list(end) for end in self.others]
        if self.stop is not None:
            raw["st"] = self.stop
        return orjson.dumps(raw)


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
            logprobs = raw.get("lp")
            read = None if logprobs is None else [[_logprob(*token) for token in tokens] for tokens in logprobs]
            return TokensEvent(raw["j"], raw["s"], raw["e"], raw["i"], raw["t"], raw.get("c"), read)
        if "r" in raw:
            others = tuple(ChoiceEnd(*end) for end in raw.get("o", ()))
            usage, stop = Usage(*raw["u"]), raw.get("st")
            return FinalEvent(raw["j"], raw["s"], raw["e"], raw["r"], raw["x"], usage, raw["err"], others, stop)
        if "stored" in raw:
            return StoredEvent(raw["j"])
    except (ValueError, KeyError, TypeError) as error:
        raise UpstreamError("An event on a job's stream is not readable.") from error
    raise UpstreamError("An event on a job's stream is of an unknown kind.")


def _logprob(token_id: int, logprob: float, latin_1: str) -> TokenLogprob:
    return TokenLogprob(token_id, logprob, latin_1.encode("latin-1"))
