"""The Llama architecture in PyTorch, with the rotary embedding in llama.cpp's order (neighbouring pairs)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The sizes of the network; 1.97 million parameters with these."""

    vocabulary: int = 1024
    layers: int = 4
    width: int = 192
    heads: int = 6
    feed_forward: int = 512
    context_length: int = 512
    rope_base: float = 10000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Numbers per attention head."""
        return self.width // self.heads


def rotary_angles(shape: Shape) -> Tensor:
    """Complex unit numbers of shape (context_length, head_width / 2)."""
    exponents = torch.arange(0, shape.head_width, 2).float() / shape.head_width
    angles = torch.outer(torch.arange(shape.context_length).float(), shape.rope_base**-exponents)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair of neighbouring numbers by the angle of its position; x is (batch, heads, length, head_width)."""
    cos, sin = angles[0, : x.shape[2]], angles[1, : x.shape[2]]
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class Block(nn.Module):  # type: ignore[misc]  # torch is not in the main environment
    """Attention, then a SwiGLU feed-forward network, each after an RMS norm and added to its input."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attn_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_v = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.ffn_gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor, angles: Tensor) -> Tensor:
        """x is (batch, length, width)."""
        batch, length, width = x.shape
        normed = self.attn_norm(x)
        heads = (batch, length, self.heads, width // self.heads)
        query, key, value = (
            project(normed).view(heads).transpose(1, 2) for project in (self.attn_q, self.attn_k, self.attn_v)
        )
        mixed = functional.scaled_dot_product_attention(
            rotate(query, angles), rotate(key, angles), value, is_causal=True
        )
        x = x + self.attn_output(mixed.transpose(1, 2).reshape(batch, length, width))
        normed = self.ffn_norm(x)
        gated: Tensor = functional.silu(self.ffn_gate(normed)) * self.ffn_up(normed)
        return x + self.ffn_down(gated)


class Network(nn.Module):  # type: ignore[misc]  # as above
    """Token ids in, hidden states out; `logits` turns those into scores with the tied embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.register_buffer("angles", rotary_angles(shape), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.04 / (2 * shape.layers) ** 0.5 if deep else 0.04)

    def forward(self, ids: Tensor) -> Tensor:
        """ids is (batch, length); returns (batch, length, width)."""
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, self.angles)
        hidden: Tensor = self.output_norm(x)
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary."""
        return functional.linear(hidden, self.token_embd.weight)
