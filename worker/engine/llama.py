"""llama.cpp's engine: one model and one context with a KV slot for every sequence."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from shared.errors import DroverError, InferenceError
from shared.events import TokenLogprob
from shared.job import GenerateJob
from shared.templates import template_format
from worker.engine.base import DecodeError, Draw, KvFullError, Piece, Sampled, Sampler
from worker.engine.draws import ParallelDraws, draw_in_turn
from worker.engine.lazy_grammar import LazyGrammar, TokenRule
from worker.engine.llama_batch import LlamaBatch
from worker.engine.llama_calls import SMALL_VOCABULARY, Calls
from worker.engine.llama_dry import DrySamplers
from worker.engine.llama_grammars import Grammars
from worker.engine.llama_logprobs import token_logprobs
from worker.engine.llama_params import check_params
from worker.engine.llama_sampler import new_sampler
from worker.engine.llama_slots import LlamaSlots
from worker.engine.llama_vocabulary import LlamaVocabulary
from worker.grammar.answer_rule import AnswerRule, answer_rule

PROMPT_ROWS = 32
"""Output rows beside one per slot, for prompts whose logprobs are wanted: a prompt goes through in so large pieces."""

NO_KV_SLOT = 1  # llama_decode's answer when nothing was decoded because the KV cache is full


@dataclass(frozen=True, slots=True)
class LlamaOptions:
    """How models are loaded."""

    slots: int = 16
    """Sequences that are decoded at the same time, each with its model's whole context."""
    batch_tokens: int = 512
    threads: int = 2
    n_gpu_layers: int = 0
    """-1: all."""
    flash_attn: bool | None = None
    """None: llama.cpp decides."""
    kv_unified: bool = False
    """One KV buffer for all slots; False: each has its own, so attention looks at its own tokens only."""

    @property
    def output_rows(self) -> int:
        """What the context is made for; every further row would cost a vocabulary of float32 numbers."""
        return min(self.batch_tokens, self.slots + PROMPT_ROWS)


class LlamaEngine:
    """Owns `model` and `context`, both pointers from llama.cpp, and frees them in `close`.

    `path` is the model's file, from which the process for grammars reads the vocabulary.
    """

    def __init__(
        self, model: int, context: int, *, path: Path, context_length: int, options: LlamaOptions, template: str
    ):
        vocabulary = LlamaVocabulary(model)
        self.slots = options.slots
        self.context_length = context_length
        self.batch_tokens = options.batch_tokens
        self.template = template
        self._tool_format = template_format(template)
        self.bos, self.eos = vocabulary.bos, vocabulary.eos
        self.token_bytes, self.end_tokens = vocabulary.token_bytes, vocabulary.end_tokens
        self.tokenize, self.control_texts = vocabulary.tokenize, vocabulary.control_texts
        self.vocabulary_size = vocabulary.size
        self.calls = Calls(vocabulary.size)
        self.context = context
        self.open_samplers = 0
        self.dry = DrySamplers(vocabulary.handle)
        self._grammars = Grammars(path, vocabulary.size)
        self._draws = ParallelDraws(options.threads, path.stem)
        self._model = model
        self._is_closed = False
        self.output_rows = options.output_rows
        self._slot_ids = LlamaSlots(llama_cpp.llama_get_memory(context), options.slots, is_unified=options.kv_unified)
        self._batch = LlamaBatch(options.batch_tokens, context_length, options.output_rows)
        self._logits: NDArray[np.float32] = np.empty((0, vocabulary.size), dtype=np.float32)
        self._logits_address = 0

    def new_sampler(self, job: GenerateJob, prompt: Sequence[int], generated: Sequence[int], choice: int) -> Sampler:
        check_params(job.sampling, self.vocabulary_size)
        rule = answer_rule(job, self._tool_format)
        grammar = None if rule is None else self._ruled(rule, generated)
        return new_sampler(self, job, prompt, generated, choice, grammar)

    def prepare(self, job: GenerateJob) -> None:
        check_params(job.sampling, self.vocabulary_size)
        rule = answer_rule(job, self._tool_format)
        if rule is not None and rule.grammar:
            self._grammars.check(rule.grammar, rule.param)

    def sample(self, draws: Sequence[Draw]) -> list[Sampled | DroverError]:
        if self.vocabulary_size <= SMALL_VOCABULARY:
            return draw_in_turn(draws)
        return self._draws.draw(draws)

    def logprobs(self, row: int, token: int, top: int) -> list[TokenLogprob]:
        return token_logprobs(self.logits(row), token, top, self.token_bytes)

    def decode(self, pieces: Sequence[Piece]) -> None:
        if any(piece.position and not self._slot_ids.holds(piece.slot) for piece in pieces):
            raise DecodeError("A slot does not hold what its piece goes on from.")  # llama.cpp would not notice
        self._batch.fill(pieces, self._slot_ids.packed([piece.slot for piece in pieces]))
        status = llama_cpp.llama_decode(self.context, self._batch.struct)
        if status == NO_KV_SLOT:
            raise KvFullError("llama_decode found no room in the KV cache.")
        if status != 0:
            raise DecodeError(f"llama_decode failed with status {status}.")
        if self._batch.outputs:
            self._find_logits()

    def logits(self, row: int) -> NDArray[np.float32]:
        """An output row, one float32 per token of the vocabulary; llama.cpp's memory, valid until the next decode."""
        if not 0 <= row < len(self._batch.outputs):
            raise InferenceError(f"The last decode has no output row {row}.")
        row_logits: NDArray[np.float32] = self._logits[self._batch.outputs[row].row]
        return row_logits

    def batch_index(self, row: int) -> int:
        return self._batch.outputs[row].batch_index

    def clear(self, slot: int) -> None:
        self._slot_ids.clear(slot)

    def rest(self, slot: int) -> None:
        self._slot_ids.rest(slot)

    def truncate(self, slot: int, length: int) -> bool:
        return self._slot_ids.truncate(slot, length)

    def copy(self, source: int, target: int, length: int) -> bool:
        return self._slot_ids.copy(source, target, length)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._draws.close()
            self._grammars.close()
            self.dry.close()
            llama_cpp.llama_free(self.context)
            llama_cpp.llama_model_free(self._model)

    def warm_up(self) -> None:
        """The first decode builds graphs and touches every weight; better while loading than in somebody's answer."""
        self.decode([Piece(slot=0, tokens=[max(0, min(self.end_tokens, default=0))], position=0, wants_logits=True)])
        self.clear(0)

    def _ruled(self, rule: AnswerRule, generated: Sequence[int]) -> TokenRule:
        def begin(missed: Sequence[int]) -> TokenRule:
            return self._grammars.new(rule.grammar, missed, rule.param)

        if rule.trigger is None:
            return begin(generated)
        return LazyGrammar(rule.trigger, begin if rule.grammar else None, self.token_bytes, generated)

    def _find_logits(self) -> None:
        """Rows lie one after the other, in the order of the batch; waits for a GPU that still computes."""
        pointer = llama_cpp.llama_get_logits(self.context)
        address = ctypes.addressof(pointer.contents)
        if address != self._logits_address:
            self._logits = np.ctypeslib.as_array(pointer, shape=(self.output_rows, self.vocabulary_size))
            self._logits_address = address
