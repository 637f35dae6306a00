"""Draws of one step, one after the other."""

from collections.abc import Sequence

import structlog

from shared.errors import DroverError, InferenceError
from worker.engine.base import Draw, Sampled

_log = structlog.get_logger(__name__)


def draw_in_turn(draws: Sequence[Draw]) -> list[Sampled | DroverError]:
    """Every draw's token, or its own error."""
    return [draw_one(draw) for draw in draws]


def draw_one(draw: Draw) -> Sampled | DroverError:
    try:
        return draw.sampler.sample(draw.row, draw.seq)
    except DroverError as error:
        return error
    except Exception as error:
        _log.error("sampling_failed", exc_info=error)
        return InferenceError()
