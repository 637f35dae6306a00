"""Keeps a training on disk, so that it can be stopped and taken up again."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from models.tiny.network import Network


@dataclass
class State:
    """How far the training is."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0


def save_checkpoint(out: Path, network: Network, optimizer: torch.optim.Optimizer, state: State) -> None:
    """Write weights and optimizer, each replacing the last one in one move."""
    for name, content in (
        ("weights.pt", network.state_dict()),
        ("optimizer.pt", {"optimizer": optimizer.state_dict(), "state": asdict(state)}),
    ):
        temporary = out / f"{name}.tmp"
        torch.save(content, temporary)
        temporary.replace(out / name)


def load_checkpoint(out: Path, network: Network, optimizer: torch.optim.Optimizer) -> State:
    """Take up the checkpoint in the folder, if there is one."""
    if not (out / "optimizer.pt").exists():
        return State()
    network.load_state_dict(torch.load(out / "weights.pt", weights_only=True))
    saved = torch.load(out / "optimizer.pt", weights_only=True)
    if saved["optimizer"]:
        optimizer.load_state_dict(saved["optimizer"])
    return State(**saved["state"])
