"""Trains drover-tiny from nothing: `python -m models.tiny.train --out models/tiny/runs/main`."""

import argparse
import json
import math
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from models.tiny.batches import batches
from models.tiny.dialogues import dialogues
from models.tiny.export import export
from models.tiny.network import Network, Shape
from models.tiny.tokenizer import Encoded, encode_dialogue, train_tokenizer

SEED = 20251120
TOKENIZER_DIALOGUES = 6000
HELD_OUT_DIALOGUES = 96
CHECKPOINT_STEPS = 500


def tokenizer_texts(count: int) -> list[str]:
    """The text from which the merges are learnt: messages of training dialogues."""
    return [
        message["content"]
        for dialogue in islice(dialogues(SEED + 1, "train"), count)
        for message in [*dialogue.messages(), {"content": "system\n"}, {"content": "user\n"}, {"content": "assistant\n"}]
    ]


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


@torch.no_grad()
def held_out_score(network: Network, held_out: list[Encoded]) -> tuple[float, float]:
    """Loss, and the share of answers whose every token is the most likely one."""
    network.eval()
    losses, right, answers = [], 0, 0
    for encoded in held_out:
        ids, targets = to_tensors([encoded])
        logits = network.logits(network(ids))[0]
        learnt = targets[0] != -100
        losses.append(functional.cross_entropy(logits[learnt], targets[0][learnt]).item())
        hit = (logits.argmax(-1) == targets[0]).tolist()
        streak = True
        for is_learnt, is_hit, following in zip(learnt.tolist(), hit, [*learnt.tolist()[1:], False], strict=True):
            streak = streak and is_hit if is_learnt else True
            if is_learnt and not following:
                answers += 1
                right += streak
    network.train()
    return sum(losses) / len(losses), right / answers


def learning_rate(progress: float, peak: float) -> float:
    """Warm-up over the first two per cent, then a cosine down to a twentieth."""
    if progress < 0.02:
        return peak * max(progress, 0.0005) / 0.02
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def train(out: Path, budget_tokens: float, batch_tokens: int, peak_rate: float) -> None:
    """Train until the token budget is used, write checkpoints and the GGUF file at the end."""
    torch.manual_seed(SEED)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(tokenizer_texts(TOKENIZER_DIALOGUES))
    tokenizer.save(str(out / "tokenizer.json"))
    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    network = Network(shape)
    parameters = sum(weight.numel() for weight in network.parameters())
    print(json.dumps({"parameters": parameters, "budget_tokens": budget_tokens, **asdict(shape)}), flush=True)
    held_out = encode_held_out(tokenizer, shape)
    decayed = [weight for weight in network.parameters() if weight.dim() == 2]
    others = [weight for weight in network.parameters() if weight.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
        betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    started, tokens = time.monotonic(), 0
    for step, group in enumerate(batches(tokenizer, SEED, shape.context_length, batch_tokens)):
        rate = learning_rate(tokens / budget_tokens, peak_rate)
        for parameter_group in optimizer.param_groups:
            parameter_group["lr"] = rate
        loss = loss_of(network, group)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        tokens += sum(len(encoded.ids) for encoded in group)
        if step % 50 == 0:
            print(f"step {step} tokens {tokens} loss {loss.item():.4f} rate {rate:.5f} "
                  f"seconds {time.monotonic() - started:.0f}", flush=True)  # fmt: skip
        if step % CHECKPOINT_STEPS == CHECKPOINT_STEPS - 1 or tokens >= budget_tokens:
            held_out_loss, exact = held_out_score(network, held_out)
            print(f"held-out loss {held_out_loss:.4f} exact {exact:.3f}", flush=True)
            save(out, network)
        if tokens >= budget_tokens:
            break


def encode_held_out(tokenizer: Tokenizer, shape: Shape) -> list[Encoded]:
    """A few held-out dialogues to watch the training by."""
    encoded = (
        encode_dialogue(tokenizer, dialogue, shape.context_length)
        for dialogue in islice(dialogues(SEED, "held_out"), 2 * HELD_OUT_DIALOGUES)
    )
    return [dialogue for dialogue in encoded if any(dialogue.is_answer)][:HELD_OUT_DIALOGUES]


def save(out: Path, network: Network) -> None:
    """Write the weights, replacing the last ones in one move."""
    temporary = out / "weights.pt.tmp"
    torch.save(network.state_dict(), temporary)
    temporary.replace(out / "weights.pt")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("models/tiny/runs/main"))
    parser.add_argument("--budget-tokens", type=float, default=16e6)
    parser.add_argument("--batch-tokens", type=int, default=3072)
    parser.add_argument("--peak-rate", type=float, default=2.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments.out, arguments.budget_tokens, arguments.batch_tokens, arguments.peak_rate)


if __name__ == "__main__":
    main()
