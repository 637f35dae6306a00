"""The load harness: `python -m tests.load --shape spike --url http://127.0.0.1:8080 --key drv_…`.

Runs users of chat, of chat in sessions and of embeddings against any server with OpenAI's API, and writes a report.
Exit status: 0; 1 if a threshold was missed or nothing succeeded; 2 if it could not begin; 130 after Ctrl-C.
"""

import argparse
import logging
import os
import sys
from datetime import datetime
from pathlib import Path

from tests.load.drive import Plan, drive  # first of all: Locust makes the sockets gevent's before others take them
from tests.load.plain_client import PlainClient
from tests.load.queue_watch import queue_depth
from tests.load.report import write_report
from tests.load.shapes import SHAPES
from tests.load.thresholds import Measured, add_flags, verdicts
from tests.load.users import Habits
from tests.load.workloads import Asking, Mix

_FOLDER = Path(".build") / "load"


def main() -> int:
    options = _parser().parse_args()
    logging.getLogger("locust").setLevel(logging.WARNING)  # it tells of every user
    try:
        plan = _plan(options)
    except ValueError as error:
        _say(str(error))
        return 2
    _say(f"{plan.shape.name} ({plan.shape.words}): {plan.users} users, {plan.duration_s:g} s, {plan.habits.url}")
    run = drive(plan, _say)
    found = verdicts(options, Measured(run.whole, run.timeline.drift_ratio))
    folder = options.out or _FOLDER / f"{datetime.now():%Y%m%d-%H%M%S}-{plan.shape.name}"
    page = write_report(folder, run, found)
    for error, count in run.whole.errors.most_common():
        _say(f"{count} × {error}: {run.whole.words[error]}")
    for verdict in found:
        _say(str(verdict))
    _say(f"report: {page}")
    if run.is_interrupted:
        return 130
    return 1 if any(verdict.is_missed for verdict in found) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shapes = "; ".join(f"{shape.name}: {shape.words}" for shape in SHAPES.values())
    parser.add_argument("--shape", choices=SHAPES, default="steady", help=shapes.replace("%", "%%"))
    parser.add_argument("--url", required=True, help="the server, with or without /v1")
    key = os.environ.get("DROVER_API_KEY", "none")
    parser.add_argument("--key", default=key, help="its API key; default: DROVER_API_KEY")
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--duration", type=float, metavar="S", help="seconds; each shape has its own default")
    parser.add_argument("--mix", default="chat", help="workloads by weight, like chat=8,session=3,embeddings=1")
    parser.add_argument("--model", default="", help="default: the first that the server lists")
    parser.add_argument("--embedding-model", default="", help="default: the first that is listed as one")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--ignore-eos", action="store_true", help="every answer as long as that")
    parser.add_argument("--think", type=float, default=0.0, metavar="S", help="a user's pause between two requests")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="give up an answer silent for so long")
    parser.add_argument("--metrics-url", help="of a gateway, for the queue depth; default: the server's /metrics")
    parser.add_argument("--seed", type=int, default=1, help="of what is asked")
    parser.add_argument("--out", type=Path, help="the report's folder; default: a new one under .build/load")
    add_flags(parser)
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    """Raises ValueError with a sentence for anything that keeps the run from beginning."""
    mix = Mix.parse(options.mix)
    if "://" not in options.url:
        raise ValueError(f"--url {options.url} needs a scheme, like http://{options.url}.")
    if options.users < 1 or (options.duration is not None and options.duration <= 0):
        raise ValueError("A run needs a user and some seconds.")
    client = PlainClient(options.url, options.key, timeout_s=options.timeout)
    outcome, answer = client.call("GET", "/v1/models")
    client.close()
    if outcome.error:
        raise ValueError(f"{options.url} lists no models: {outcome.error} {outcome.words}")
    models = answer.get("data", [])
    chats = [options.model, *(model["id"] for model in models if model.get("kind", "chat") == "chat")]
    embedders = [options.embedding_model, *(model["id"] for model in models if model.get("kind") == "embedding")]
    asking = Asking(
        next(filter(None, chats), ""), next(filter(None, embedders), ""), options.max_tokens, options.ignore_eos
    )
    if mix.weights.get("embeddings") and not asking.embedding_model:
        raise ValueError("The server does not say which of its models embeds: give --embedding-model.")
    shape = SHAPES[options.shape]
    metrics = options.metrics_url or f"{options.url.rstrip('/').removesuffix('/v1')}/metrics"
    habits = Habits(options.url, options.key, mix, asking, options.think, options.timeout, options.seed)
    is_watched = queue_depth(metrics) is not None
    return Plan(habits, shape, options.users, options.duration or shape.default_s, metrics if is_watched else "")


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
