"""The gateway's parts, made once at start and handed to the routes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.attendance import Attendance
from gateway.auth import Authenticator
from gateway.background import Background
from gateway.channel import Channel
from gateway.completion import Completions
from gateway.embeddings_client import EmbeddingsClient
from gateway.follow import Follower
from gateway.health import Health
from gateway.hints import Hints
from gateway.house_rules import HouseRules
from gateway.jobs import Jobs
from gateway.ledger_gauges import LedgerGauges
from gateway.meter import StreamMeter
from gateway.prompt import Prompts
from gateway.request_record import RequestCount
from gateway.running import Runs
from gateway.sessions_client import SessionsClient
from gateway.settings import GatewaySettings
from gateway.upstream import Upstream
from shared.catalogue import Catalogue

EMBEDDING_TIMEOUT_S = 120.0
"""Two thousand texts on a CPU take their time."""

DRAIN_S = 2.0


class Gateway:
    """Everything a route may use. Nothing in here connects before it is used."""

    def __init__(self, settings: GatewaySettings, catalogue: Catalogue, count: RequestCount):
        self.settings = settings
        self.catalogue = catalogue
        token = settings.internal_token
        self._upstreams = [
            Upstream("session service", settings.session_service_url, token, timeout_s=settings.session_timeout_s),
            Upstream("embedding service", settings.embedding_service_url, token, timeout_s=EMBEDDING_TIMEOUT_S),
        ]
        self.sessions = SessionsClient(self._upstreams[0], key_check_timeout_s=settings.key_check_timeout_s)
        self.embeddings = EmbeddingsClient(self._upstreams[1])
        self.jobs = Jobs(
            settings.redis_url, timeout_s=settings.redis_timeout_s, max_queued_jobs=settings.max_queued_jobs
        )
        self.authenticator = Authenticator(
            self.sessions, ttl_s=settings.key_cache_ttl_s, refused_ttl_s=settings.refused_key_cache_ttl_s
        )
        self.health = Health(self.jobs, self.sessions, catalogue, count)
        self._background = Background()
        self._hints = Hints(settings.hints_url)
        self._channel = Channel(
            settings.redis_url, max_events=settings.stream_buffer_events, max_bytes=settings.stream_buffer_bytes
        )
        self._attendance = Attendance(self.jobs, self._channel, self._background)
        self._ledger_gauges = LedgerGauges(self.jobs, catalogue)
        self.completions = Completions(
            Prompts(
                catalogue,
                self.sessions,
                HouseRules(settings.max_choices, settings.allow_grammar),
                resume_grace_s=settings.resume_grace_s,
            ),
            Runs(catalogue),
            self.jobs,
            self._hints,
            Follower(self._channel, self.jobs, silence_s=settings.silence_s, stored_wait_s=settings.stored_wait_s),
            self._attendance,
            StreamMeter(),
            self._background,
            ping_interval_s=settings.ping_interval_s,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The connection's owner and the gauge at work; at the end what was begun in the background is finished."""
        work = (self._channel.run(), self._attendance.run(), self._ledger_gauges.run())
        self._hints.open()
        owners = [asyncio.create_task(run) for run in work]
        try:
            yield
        finally:
            await self._background.drain(DRAIN_S)
            for owner in owners:
                owner.cancel()
            await asyncio.gather(*owners, return_exceptions=True)
            self._hints.close()
            for upstream in self._upstreams:
                await upstream.close()
            await self.jobs.close()
