"""Trains drover-tiny from nothing: `python -m models.tiny.train --out models/tiny/runs/main`."""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from models.tiny.batches import batches
from models.tiny.checkpoint import load_checkpoint, save_checkpoint
from models.tiny.dialogues import dialogues
from models.tiny.network import Network, Shape
from models.tiny.tokenizer import Encoded, encode_dialogue, train_tokenizer

SEED = 20251120
TOKENIZER_DIALOGUES = 6000
ROLES = ("system", "user", "assistant")
HELD_OUT_DIALOGUES = 96
CHECKPOINT_STEPS = 250
REPORT_STEPS = 50


def tokenizer_texts(count: int) -> list[str]:
    """The text from which the merges are learnt: messages of training dialogues."""
    return [
        message["content"]
        for dialogue in islice(dialogues(SEED + 1, "train"), count)
        for message in [*dialogue.messages(), *({"content": f"{role}\n"} for role in ROLES)]
    ]


def load_or_train_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of the run, learnt at its start."""
    if path.exists():
        return Tokenizer.from_file(str(path))
    tokenizer = train_tokenizer(tokenizer_texts(TOKENIZER_DIALOGUES))
    tokenizer.save(str(path))
    return tokenizer


def to_tensors(group: list[Encoded]) -> tuple[Tensor, Tensor]:
    """Ids (batch, length), and the targets with -100 wherever nothing is to be learnt."""
    length = max(len(encoded.ids) for encoded in group)
    ids = torch.zeros(len(group), length, dtype=torch.long)
    targets = torch.full((len(group), length), -100)
    for row, encoded in enumerate(group):
        own = torch.tensor(encoded.ids)
        ids[row, : len(own)] = own
        answer = torch.tensor(encoded.is_answer)
        targets[row, : len(own)][answer] = own[answer]
    return ids[:, :-1], targets[:, 1:]


def loss_of(network: Network, group: list[Encoded]) -> Tensor:
    """Mean cross-entropy over the answers' tokens; only those are put through the output layer."""
    ids, targets = to_tensors(group)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = network(ids)
    learnt = targets != -100
    return functional.cross_entropy(network.logits(hidden[learnt].float()), targets[learnt])


def answers_in(is_answer: list[bool], is_right: list[bool]) -> list[bool]:
    """For each unbroken run of answer tokens, whether all of them are right."""
    runs = groupby(zip(is_answer, is_right, strict=True), key=lambda token: token[0])
    return [all(right for _, right in run) for answer, run in runs if answer]


def held_out_score(network: Network, held_out: list[Encoded]) -> tuple[float, float]:
    """Loss, and the share of answers whose every token is the most likely one."""
    losses: list[float] = []
    answers: list[bool] = []
    for encoded in held_out:
        ids, targets = to_tensors([encoded])
        with torch.no_grad():
            logits = network.logits(network(ids))[0]
        learnt = targets[0] != -100
        losses.append(functional.cross_entropy(logits[learnt], targets[0][learnt]).item())
        answers += answers_in(learnt.tolist(), (logits.argmax(-1) == targets[0]).tolist())
    return sum(losses) / len(losses), sum(answers) / len(answers)


def learning_rate(progress: float, peak: float) -> float:
    """Warm-up over the first two per cent, then a cosine down to a twentieth."""
    if progress < 0.02:
        return peak * max(progress, 0.0005) / 0.02
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


@dataclass(frozen=True)
class Budget:
    """Training ends when either is used up; the learning rate follows whichever is further on."""

    tokens: float
    seconds: float

    def progress(self, tokens: int, seconds: float) -> float:
        """From 0 at the start to 1 at the end."""
        return max(tokens / self.tokens, seconds / self.seconds)


def new_optimizer(network: Network) -> torch.optim.Optimizer:
    """AdamW; the norms' gains are not decayed."""
    matrices = [weight for weight in network.parameters() if weight.dim() == 2]
    gains = [weight for weight in network.parameters() if weight.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


def make_step(network: Network, optimizer: torch.optim.Optimizer, group: list[Encoded], rate: float) -> float:
    """One batch, one update; returns the loss."""
    for parameter_group in optimizer.param_groups:
        parameter_group["lr"] = rate
    loss = loss_of(network, group)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return float(loss.item())


def train(out: Path, budget: Budget, batch_tokens: int, peak_rate: float) -> None:
    """Train until the budget is used, with a checkpoint now and then; goes on from a checkpoint that is there."""
    torch.manual_seed(SEED)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = load_or_train_tokenizer(out / "tokenizer.json")
    network = Network(Shape(vocabulary=tokenizer.get_vocab_size()))
    optimizer = new_optimizer(network)
    state = load_checkpoint(out, network, optimizer)
    print(json.dumps(asdict(network.shape)), sum(weight.numel() for weight in network.parameters()), "parameters")
    held_out = encode_held_out(tokenizer, network.shape)
    started = time.monotonic() - state.seconds
    groups = batches(tokenizer, SEED + state.tokens, network.shape.context_length, batch_tokens)
    while (progress := budget.progress(state.tokens, state.seconds)) < 1:
        group = next(groups)
        loss = make_step(network, optimizer, group, learning_rate(progress, peak_rate))
        state.steps += 1
        state.tokens += sum(len(encoded.ids) for encoded in group)
        state.seconds = time.monotonic() - started
        if state.steps % REPORT_STEPS == 0:
            print(f"{asdict(state)} loss {loss:.4f}", flush=True)
        if state.steps % CHECKPOINT_STEPS == 0:
            print("held-out loss {:.4f} exact {:.3f}".format(*held_out_score(network, held_out)), flush=True)
            save_checkpoint(out, network, optimizer, state)
    print("held-out loss {:.4f} exact {:.3f}".format(*held_out_score(network, held_out)), flush=True)
    save_checkpoint(out, network, optimizer, state)


def encode_held_out(tokenizer: Tokenizer, shape: Shape) -> list[Encoded]:
    """A few held-out dialogues to watch the training by."""
    encoded = (
        encode_dialogue(tokenizer, dialogue, shape.context_length)
        for dialogue in islice(dialogues(SEED, "held_out"), 2 * HELD_OUT_DIALOGUES)
    )
    return [dialogue for dialogue in encoded if any(dialogue.is_answer)][:HELD_OUT_DIALOGUES]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("models/tiny/runs/main"))
    parser.add_argument("--budget-tokens", type=float, default=18e6)
    parser.add_argument("--budget-minutes", type=float, default=600)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--peak-rate", type=float, default=2.2e-3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    budget = Budget(arguments.budget_tokens, arguments.budget_minutes * 60)
    train(arguments.out, budget, arguments.batch_tokens, arguments.peak_rate)


if __name__ == "__main__":
    main()
