"""The way out: numbers without gaps, and silence after the last word."""

from shared.events import ChoiceEnd, FinalEvent, TokenLogprob, TokensEvent, Usage
from tests.fakes.sequences import Collector, a_job
from worker.emission import Emission


def test_numbers_go_on_after_what_the_log_holds() -> None:
    collector = Collector()
    emission = Emission(a_job(), 2, 7, collector)

    emission.tokens(0, [5, 6], ["a", "b"])
    emission.tokens(0, [7], ["c"])

    assert [(event.first_seq, event.last_seq, event.epoch) for event in collector.events] == [(8, 9, 2), (10, 10, 2)]


def test_a_job_of_several_choices_says_whose_each_token_is() -> None:
    collector = Collector()
    emission = Emission(a_job(n=2), 1, 0, collector)

    emission.tokens(1, [5, 6], ["a", "b"])

    assert collector.events[0].choices == [1, 1]


def test_a_token_without_logprobs_has_an_empty_list_where_the_job_wants_them() -> None:
    collector = Collector()
    wanted = Emission(a_job(top_logprobs=0), 1, 0, collector)
    unwanted = Emission(a_job(), 1, 0, collector)

    wanted.tokens(0, [5, 6], ["a", "b"])
    unwanted.tokens(0, [5], ["a"], [[TokenLogprob(5, -1.0, b"a")]])

    assert [event.logprobs for event in collector.events] == [[[], []], None]


def test_the_end_of_the_first_choice_is_the_final_events_own() -> None:
    collector = Collector()
    emission = Emission(a_job(n=2), 1, 4, collector)

    emission.final([ChoiceEnd("stop", "x"), ChoiceEnd("length", "y")], Usage(1, 2, 0), None, "END")

    others = (ChoiceEnd("length", "y"),)
    assert collector.final == FinalEvent("j1", 4, 1, "stop", "x", Usage(1, 2, 0), None, others, "END")


def test_nothing_is_emitted_after_an_abandonment_or_a_failure_to_emit() -> None:
    def deaf(event: TokensEvent | FinalEvent) -> None:
        raise RuntimeError

    collector = Collector()
    abandoned, unheard = Emission(a_job(), 1, 0, collector), Emission(a_job(), 1, 0, deaf)

    abandoned.abandon()
    abandoned.tokens(0, [5], ["a"])
    unheard.tokens(0, [5], ["a"])

    assert collector.events == []
    assert unheard.is_abandoned
