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

    def answer(self, messages: list[dict[str, str]]) -> str | None:
        """The greedy answer; None where the messages leave no room for one."""
        prompt = self.template.render(messages=messages, add_generation_prompt=True)
        tokens = self.llama.tokenize(prompt.encode(), add_bos=False, special=True)
        room = self.llama.n_ctx() - len(tokens)
        if room < LONGEST_ANSWER_TOKENS // 5:
            return None
        completion = cast(
            CreateCompletionResponse,
            self.llama.create_completion(tokens, max_tokens=min(room, LONGEST_ANSWER_TOKENS), temperature=0.0),
        )
        return completion["choices"][0]["text"]


def examine(examinee: Examinee, to_ask: Iterable[Case], *, show_wrong: bool) -> tuple[Counter[str], Counter[str]]:
    """How many cases of each kind were asked, and how many answered exactly."""
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for case in to_ask:
        answer = examinee.answer(case.messages)
        if answer is None:
            continue
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
