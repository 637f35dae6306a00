"""The oracle: the right text for each prompt, from one undisturbed run before the faults begin."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.fault.client import Asked, Client
from tests.fault.load import PROMPTS
from tests.stack import Stack


class Oracle:
    """The simulated engine's text depends on the prompt alone, so that one run tells what every other must say."""

    def __init__(self, stack: Stack):
        self._client = Client(lambda: stack.gateways, stack.api_key, stack.model, random.Random(0))
        self._texts: dict[tuple[str, int], str] = {}
        self._lock = threading.Lock()

    def __call__(self, prompt: str, tokens: int) -> str:
        if (prompt, tokens) not in self._texts:
            self.learn(tokens, [prompt])
        return self._texts[prompt, tokens]

    def learn(self, tokens: int, prompts: list[str] | None = None) -> None:
        """Ask for all prompts of the load, or the given ones, at once. Call it while nothing is disturbed."""
        wanted = prompts or [f"Stream number {number}" for number in range(PROMPTS)]
        with self._lock:
            missing = [prompt for prompt in wanted if (prompt, tokens) not in self._texts]
            if missing:
                with ThreadPoolExecutor(len(missing)) as pool:
                    texts = list(pool.map(lambda prompt: self._ask(prompt, tokens), missing))
                self._texts |= {(prompt, tokens): text for prompt, text in zip(missing, texts, strict=True)}

    def _ask(self, prompt: str, tokens: int) -> str:
        received = self._client.stream(Asked(prompt, tokens, f"oracle-{random.random()}"))
        assert received.is_complete, received.error or received.refusals
        assert received.cuts == 0, "an undisturbed stream was cut"
        return received.text
