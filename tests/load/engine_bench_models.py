"""Models with random weights for the engine benchmark, as large as real ones; made once and kept under .build/."""

from dataclasses import dataclass
from pathlib import Path

from tests.fakes.random_gguf import Shape, write_random_gguf

FOLDER = Path(__file__).parents[2] / ".build" / "engine_bench"
VOCABULARY = 32_000
_OWN_TOKENS = 266  # what write_random_gguf has of itself
PEAK = 5.0
"""Deviation of the logits. With random weights all tokens would be as likely as each other, which no real model's are,
and top_p would have to sort the whole vocabulary."""


@dataclass(frozen=True)
class BenchModel:
    """A model and how long its runs may be on a small machine."""

    name: str
    words: str
    shape: Shape
    new_tokens: int
    """Of each stream where tokens per second are measured."""
    prompt_tokens: int
    """Of the prompt whose speed is measured."""

    @property
    def path(self) -> Path:
        """The file, made if it is not there."""
        path = FOLDER / f"{self.name}.gguf"
        if not path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".part")
            write_random_gguf(draft, self.shape, weight=PEAK)
            draft.replace(path)
        return path


MODELS = {
    "15m": BenchModel(
        name="15m",
        words="15 M parameters in the shape of TinyStories-15M",
        shape=Shape(6, 288, 6, 768, 8192, VOCABULARY - _OWN_TOKENS, is_q8=True),
        new_tokens=128,
        prompt_tokens=960,
    ),
    "0.5b": BenchModel(
        name="0.5b",
        words="0.5 B parameters in the shape of Qwen2.5-0.5B, with 32 layers for the smaller vocabulary",
        shape=Shape(32, 896, 14, 4864, 8192, VOCABULARY - _OWN_TOKENS, kv_heads=2, is_q8=True),
        new_tokens=32,
        prompt_tokens=512,
    ),
}
