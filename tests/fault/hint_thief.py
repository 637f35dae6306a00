"""A broker that misbehaves: stands between a gateway and the workers and drops, multiplies or delays hints."""

import heapq
import threading
import time
from typing import Literal

import redis

Mode = Literal["drop", "triple", "delay"]

DELAY_S = 10.0
_LOOK_EVERY_S = 0.005


class HintThief:
    """Takes hints from database 1, where a gateway puts them, and passes them on to database 0 as `mode` says."""

    def __init__(self, redis_url: str):
        self.gateways_broker_url = redis_url.rpartition("/")[0] + "/1"
        self.mode: Mode = "drop"
        self.stolen = 0
        self._source = redis.Redis.from_url(self.gateways_broker_url)
        self._target = redis.Redis.from_url(redis_url)
        self._late: list[tuple[float, bytes, bytes]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._steal, daemon=True)

    def __enter__(self) -> "HintThief":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._source.flushdb()
        self._source.close()
        self._target.close()

    def _steal(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            for queue in self._source.scan_iter("q:model.*", _type="list"):
                while isinstance(hint := self._source.rpop(queue), bytes):
                    self.stolen += 1
                    self._pass_on(queue, hint)
            while self._late and self._late[0][0] <= time.monotonic():
                _, queue, hint = heapq.heappop(self._late)
                self._target.lpush(queue, hint)

    def _pass_on(self, queue: bytes, hint: bytes) -> None:
        if self.mode == "triple":
            self._target.lpush(queue, hint, hint, hint)
        elif self.mode == "delay":
            heapq.heappush(self._late, (time.monotonic() + DELAY_S, queue, hint))
