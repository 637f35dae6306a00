"""The sampler that works on a row of numpy's: for large vocabularies, mirostat and grammars."""

from collections.abc import Sequence
from typing import Protocol

import llama_cpp
import numpy as np

from shared.errors import InferenceError
from shared.job import SamplingParams
from worker.engine.base import Sampled
from worker.engine.lazy_grammar import TokenRule
from worker.engine.llama_candidates import Candidates, Row
from worker.engine.llama_chain import Penalties, biases, is_greedy
from worker.engine.llama_grammar import Allowed
from worker.engine.llama_mirostat import MirostatTail
from worker.engine.llama_outputs import Outputs, checked, sampled
from worker.engine.llama_tail import Tail
from worker.engine.position_seeds import PositionSeeds


class Chooser(Protocol):
    """What chooses a token from a row whose logits are final."""

    def choose(self, row: Row, seq: int, attempt: int) -> int: ...

    def took(self, token: int) -> None: ...

    def close(self) -> None: ...


class Likeliest:
    """Greedy choice."""

    def choose(self, row: Row, seq: int, attempt: int) -> int:
        return int(row.argmax())

    def took(self, token: int) -> None:
        return

    def close(self) -> None:
        return


class RowSampler:
    """Applies the head to the logits that it touches, then lets a chooser choose; a grammar has the last word.

    As llama.cpp does, it draws without the grammar first and asks whether the token fits. Only if it does not are the
    tokens that fit looked up, which takes 30 ms with 151,936 of them, and a second draw is made among them.
    """

    def __init__(
        self,
        outputs: Outputs,
        params: SamplingParams,
        seeds: PositionSeeds,
        top_logprobs: int | None = None,
        grammar: TokenRule | None = None,
    ):
        self._outputs = outputs
        self._params = params
        self._top = top_logprobs
        self._grammar = grammar
        self._ends = sorted(outputs.end_tokens)
        self._goes_on = np.ones(outputs.vocabulary_size, dtype=np.bool_)
        self._goes_on[self._ends] = False
        by_token = biases(params)
        self._biased = np.array(list(by_token), dtype=np.intp)
        self._biases = np.array(list(by_token.values()), dtype=np.float32)
        self._penalties = Penalties(params, outputs.vocabulary_size, outputs.context_length, outputs.dry)
        self._said: dict[int, None] = {}
        self._chooser = _chooser(outputs, params, seeds)
        self._is_open = True
        outputs.open_samplers += 1

    def read(self, prompt: Sequence[int], generated: Sequence[int]) -> None:
        """Remember what was said before; the grammar has been told by whoever made it."""
        self._penalties.read(prompt, generated)
        if self._penalties.links:
            self._said.update(dict.fromkeys((*prompt, *generated)))

    def sample(self, row: int, seq: int) -> Sampled:
        logits = checked(self._outputs.logits(row))
        may_end = self._may_end(seq)
        token = self._chooser.choose(self._headed(logits, may_end), seq, 0)
        if self._grammar is not None:
            allowed = self._grammar.offer(token)
            if allowed is not None:
                token = self._chooser.choose(self._constrained(logits, allowed, may_end), seq, 1)
                self._grammar.take(token)
        self._remember(token)
        return sampled(self._outputs, row, token, self._top)

    def replay(self, row: int, seq: int, token: int) -> None:
        """Learn from an output row what `sample` would have, had it chosen `token` there.

        Only mirostat does: its aim depends on the probabilities of all tokens so far, which their ids do not tell. The
        batcher asks for no output rows of what an earlier life has generated and does not call this: a continued
        job's aim starts afresh.
        The penalties and the grammar must not have been told of `token` yet.
        """
        logits = checked(self._outputs.logits(row))
        self._chooser.choose(self._headed(logits, self._may_end(seq)), seq, 0)
        self._remember(token)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._outputs.open_samplers -= 1
            self._chooser.close()
            while self._penalties.links:
                llama_cpp.llama_sampler_free(self._penalties.links.pop())
            if self._grammar is not None:
                self._grammar.close()

    def _remember(self, token: int) -> None:
        self._chooser.took(token)
        if self._penalties.links:
            self._said[token] = None
            for link in self._penalties.links:
                self._outputs.calls.accept(link, token)

    def _constrained(self, logits: Row, allowed: Allowed, may_end: bool) -> Row:
        """Only what the grammar allows. An end that it demands goes before min_tokens and ignore_eos."""
        if not allowed.any():
            raise InferenceError("No token of the model fits the grammar here.")
        must_end = not allowed[self._goes_on].any()
        return self._headed(np.where(allowed, logits, np.float32(-np.inf)), may_end or must_end)

    def _headed(self, logits: Row, may_end: bool) -> Row:
        """`logits` after biases and penalties; the caller's own row is never written to."""
        if may_end and not len(self._biased) and not self._penalties.links:
            return logits
        row = logits.copy()
        row[self._biased] += self._biases
        if not may_end:
            row[self._ends] = -np.inf
        if self._penalties.links:
            said = np.fromiter(self._said, dtype=np.intp, count=len(self._said))
            touched = Candidates(said, row)
            touched.apply(self._outputs.calls, self._penalties.links)
            row[said] = touched.logits
        if not np.isfinite(row.max()):
            raise InferenceError("The sampling parameters leave no token to choose.")
        return row

    def _may_end(self, seq: int) -> bool:
        return seq > self._params.min_tokens and not self._params.ignore_eos


def _chooser(outputs: Outputs, params: SamplingParams, seeds: PositionSeeds) -> Chooser:
    if is_greedy(params):
        return Likeliest()
    kind = MirostatTail if params.mirostat else Tail
    return kind(params, outputs.vocabulary_size, outputs.calls, seeds)
