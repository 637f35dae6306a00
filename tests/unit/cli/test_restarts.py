"""When a process that died is started again."""

from cli.stack.restarts import HEALTHY_AFTER_S, Restarts


def test_the_first_death_is_answered_at_once() -> None:
    assert Restarts().next_delay_s(lived_s=0.1) == 0


def test_deaths_that_follow_each_other_wait_longer_and_longer_until_the_process_is_given_up() -> None:
    restarts = Restarts()

    delays = [restarts.next_delay_s(lived_s=0.1) for _ in range(7)]

    assert delays[:-1] == sorted(set(delays[:-1]))
    assert delays[-1] is None


def test_a_process_that_lived_long_enough_begins_anew() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.next_delay_s(lived_s=0.1)

    assert restarts.next_delay_s(lived_s=HEALTHY_AFTER_S) == 0
    assert restarts.deaths == 1


def test_a_process_that_served_each_time_is_never_given_up() -> None:
    restarts = Restarts()

    delays = [restarts.next_delay_s(lived_s=0.1, has_served=True) for _ in range(20)]

    assert None not in delays
    assert delays[-1] == max(delay for delay in delays if delay is not None)
