"""What llama.cpp's samplers must be spared: numbers that they would die of, or take for ever with."""

from shared.errors import BadRequestError
from shared.job import SamplingParams

MAX_BREAKERS = 64  # each costs a look at the whole vocabulary: 9 ms with 151,936 tokens
MAX_BREAKER_BYTES = 40  # llama.cpp cuts longer ones
MAX_LOGIT_BIAS = 16_384

# Wider than anybody needs, and narrow enough that no logit becomes infinite: a NaN among them makes llama.cpp's sorting
# read outside of its memory.
_RANGES = {
    "temperature": (0.0, 1e6),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (0.0, 1.0),
    "presence_penalty": (-1000.0, 1000.0),
    "frequency_penalty": (-1000.0, 1000.0),
    "repeat_penalty": (0.001, 10_000.0),
    "dry_multiplier": (0.0, 1000.0),
    "dry_base": (0.0, 1000.0),
    "mirostat_tau": (0.0, 100.0),
    "mirostat_eta": (0.0, 100.0),
}


def check_params(params: SamplingParams, vocabulary_size: int) -> None:
    """Raises BadRequestError that names the parameter."""
    for name, (low, high) in _RANGES.items():
        if not low <= getattr(params, name) <= high:  # so that NaN is outside too
            raise BadRequestError(f"{name} must be between {low:g} and {high:g}.", param=name)
    _check_bias(params.logit_bias, vocabulary_size)
    _check_breakers(params.dry_sequence_breakers)


def _check_bias(biases: dict[int, float], vocabulary_size: int) -> None:
    if len(biases) > MAX_LOGIT_BIAS:
        raise BadRequestError(f"logit_bias names more than {MAX_LOGIT_BIAS} tokens.", param="logit_bias")
    if sum(bias <= -100 for bias in biases.values()) >= vocabulary_size:
        raise BadRequestError("logit_bias forbids every token.", param="logit_bias")
    for token, bias in biases.items():
        if not 0 <= token < vocabulary_size:
            message = f"logit_bias names token {token}, but the model's tokens are 0 to {vocabulary_size - 1}."
            raise BadRequestError(message, param="logit_bias")
        if not abs(bias) <= 100:
            raise BadRequestError("logit_bias must be between -100 and 100.", param="logit_bias")


def _check_breakers(breakers: tuple[str, ...]) -> None:
    name = "dry_sequence_breakers"
    if len(breakers) > MAX_BREAKERS:
        raise BadRequestError(f"{name} has more than {MAX_BREAKERS} strings.", param=name)
    if any("\0" in breaker or len(breaker.encode(errors="replace")) > MAX_BREAKER_BYTES for breaker in breakers):
        raise BadRequestError(f"{name} has a string of more than {MAX_BREAKER_BYTES} bytes or with a NUL.", param=name)
