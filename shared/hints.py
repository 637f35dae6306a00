"""The hint: the Celery message that wakes a worker. It carries a job id and nothing else."""

from typing import TYPE_CHECKING, Any

from shared.job import Priority

if TYPE_CHECKING:
    from celery import Celery

TASK_NAME = "worker.generate"

_BEGUN_STEP = 0
_STEPS: dict[Priority, int] = {"interactive": 3, "batch": 6}
"""Kombu's priorities on Redis: a list each, the lowest number is taken first."""
_ONCE_MORE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}


def queue_of(model: str) -> str:
    """The queue on which the hints of `model` travel."""
    return f"model.{model}"


def celery_app(broker_url: str) -> "Celery":
    """The Celery app that both ends of the hint share. It connects only when it is used."""
    from celery import Celery  # here, because the session service has the ledger and its queue names, but no Celery

    app = Celery("drover", broker=broker_url)
    app.conf.update(_settings(broker_url))
    return app


def send_hint(
    app: "Celery", job_id: str, model: str, priority: Priority = "interactive", *, is_begun: bool = False
) -> None:
    """Publish one hint; blocks (about 0.3 ms, 2 s at most when the broker is away), so keep it off an event loop.

    On Redis, hints of batch jobs are taken after all others, and those of jobs that have begun to answer and lost
    their worker before all others; RabbitMQ keeps one order. Raises kombu.exceptions.OperationalError when the broker
    cannot be reached: the caller may ignore it, the reaper sends a lost hint again.
    """
    has_priorities = "priority_steps" in app.conf.broker_transport_options
    step = _BEGUN_STEP if is_begun and priority == "interactive" else _STEPS[priority]
    # RabbitMQ closes an idle sender's connection, since nobody sends its heartbeats: the next hint needs a second try.
    options = {"priority": step, "retry": False} if has_priorities else {"retry": True, "retry_policy": _ONCE_MORE}
    app.send_task(TASK_NAME, args=[job_id], queue=queue_of(model), ignore_result=True, **options)


def open_way(app: "Celery") -> None:
    """Load what the first hint would load, and connect: most of a second that the first caller need not wait for.

    Blocks. Raises kombu.exceptions.OperationalError when the broker cannot be reached: each hint tries again.
    """
    app.amqp.send_task_message  # noqa: B018  made when it is first looked at
    with app.producer_pool.acquire(block=True) as producer:
        producer.channel  # noqa: B018  connects


def _settings(broker_url: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "task_acks_late": True,  # a second net under the lease
        "task_acks_on_failure_or_timeout": True,  # failures are recorded in the ledger, Celery never retries
        "task_ignore_result": True,  # results go through the ledger; there is no result backend
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,  # no hoarding: an idle worker elsewhere should get the hint
        "worker_send_task_events": False,  # events cost 40 % of the throughput
        "task_send_sent_event": False,
        "worker_enable_remote_control": False,  # anyone on the broker could shut workers down with it
        "worker_hijack_root_logger": False,
        "broker_connection_max_retries": None,  # the default gives up after 100
        "broker_connection_retry_on_startup": True,
        "task_create_missing_queues": True,
    }
    if broker_url.startswith(("redis://", "rediss://")):
        settings["broker_transport_options"] = {
            "socket_timeout": 5,  # finds a half-open BRPOP in about 21 s instead of 51 s
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "max_retries": 0,  # a hint that cannot be sent fails at once, not after 6 s: the reaper sends it again
            # What a killed worker had in hand goes back to the queue after this and is acknowledged by another. A job
            # that runs longer in health costs one more claim, which is refused.
            "visibility_timeout": 20,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,  # kombu looks at every tenth interval only, else
            "unacked_mutex_expire": 10,
            "priority_steps": [_BEGUN_STEP, *_STEPS.values()],
            "global_keyprefix": "q:",  # lets a Redis ACL bind the broker's keys
        }
    else:
        settings["broker_heartbeat"] = 10  # RabbitMQ's default of 120 s notices a dead worker too late
        settings["task_default_queue_type"] = settings["task_create_missing_queue_type"] = "quorum"
        settings["broker_transport_options"] = {"confirm_publish": True}
    return settings
