"""The byte-level BPE tokenizer of drover-tiny; llama.cpp knows its word splitting as `smollm`."""

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel as ByteLevelDecoder

from models.tiny.turns import Dialogue

END_OF_TEXT = "<|endoftext|>"
START = "<|im_start|>"
END = "<|im_end|>"
SPECIALS = (END_OF_TEXT, START, END)
VOCABULARY_SIZE = 1024
LLAMA_CPP_PRE_TOKENIZER = "smollm"  # single digits first, then GPT-2's pattern

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Encoded:
    """Token ids of a dialogue; `is_answer[i]` says whether token i is one the model has to produce."""

    ids: list[int]
    is_answer: list[bool]


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Learn the merges; digits are split off first, so no token has two of them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode_dialogue(tokenizer: Tokenizer, dialogue: Dialogue, longest: int) -> Encoded:
    """The dialogue in ChatML, cut after the last turn that fits; only answers and their end mark are trained."""
    ids: list[int] = []
    is_answer: list[bool] = []
    if dialogue.system:
        ids += tokenizer.encode(f"{START}system\n{dialogue.system}{END}\n").ids
        is_answer += [False] * len(ids)
    for number, turn in enumerate(dialogue.turns):
        question = tokenizer.encode(f"{START}user\n{turn.user}{END}\n{START}assistant\n").ids
        answer = tokenizer.encode(turn.reply + END).ids
        if len(ids) + len(question) + len(answer) + 1 > longest:
            break
        line_break = tokenizer.encode("\n").ids
        ids += question + answer + line_break
        is_trained = number >= dialogue.first_trained
        is_answer += [False] * len(question) + [is_trained] * len(answer) + [False] * len(line_break)
    return Encoded(ids, is_answer)
