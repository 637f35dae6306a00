"""Examines a GGUF file on held-out dialogues, greedily: `python -m models.tiny.evaluate`."""

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import jinja2
from llama_cpp import CreateCompletionResponse, Llama

from models.tiny.cases import Case, cases

SEED = 7
LONGEST_ANSWER_TOKENS = 300


class Examinee:
    """The model as llama.cpp runs it, asked with the chat template that its file carries."""

    def __init__(self, path: Path, threads: int) -> None:
        self.llama = Llama(str(path), n_ctx=0, n_threads=threads, n_threads_batch=threads, verbose=False)
        self.template = jinja2.Template(self.llama.metadata["tokenizer.chat_template"])

    def has_room(self, case: Case) -> bool:
        """Whether question and right answer fit into the context together."""
        answer = self.llama.tokenize(case.answer.encode(), add_bos=False)
        return len(self._prompt(case.messages)) + len(answer) < self.llama.n_ctx()

    def answer(self, messages: list[dict[str, str]]) -> str:
        """The greedy answer."""
        prompt = self._prompt(messages)
        longest = min(self.llama.n_ctx() - len(prompt), LONGEST_ANSWER_TOKENS)
        completion = self.llama.create_completion(prompt, max_tokens=longest, temperature=0.0)
        return cast(CreateCompletionResponse, completion)["choices"][0]["text"]

    def _prompt(self, messages: list[dict[str, str]]) -> list[int]:
        text = self.template.render(messages=messages, add_generation_prompt=True)
        return self.llama.tokenize(text.encode(), add_bos=False, special=True)


def examine(examinee: Examinee, to_ask: Iterable[Case], *, show_wrong: bool) -> tuple[Counter[str], Counter[str]]:
    """How many cases of each kind were asked, and how many answered exactly."""
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for case in filter(examinee.has_room, to_ask):
        answer = examinee.answer(case.messages)
        asked[case.kind] += 1
        right[case.kind] += answer == case.answer
        if show_wrong and answer != case.answer:
            print(f"[{case.kind}] {case.messages[-1]['content']!r}\n  right: {case.answer!r}\n  said:  {answer!r}")
    return asked, right


def table(asked: Counter[str], right: Counter[str]) -> str:
    """A Markdown table, the total last."""
    lines = ["| kind | dialogues | exact |", "| --- | ---: | ---: |"]
    lines += [f"| {kind} | {asked[kind]} | {right[kind] / asked[kind]:.1%} |" for kind in asked]
    lines.append(f"| **all** | {asked.total()} | {right.total() / asked.total():.1%} |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/drover-tiny.gguf"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--show-wrong", action="store_true")
    arguments = parser.parse_args()
    started = time.monotonic()
    asked, right = examine(Examinee(arguments.model, arguments.threads), cases(SEED), show_wrong=arguments.show_wrong)
    print(table(asked, right))
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
