from collections import Counter

from models.tiny.cases import CASES_OF_A_KIND, cases


def test_there_are_as_many_cases_of_a_kind_as_the_table_says() -> None:
    counted = Counter(case.kind for case in cases(seed=1))

    assert counted == CASES_OF_A_KIND


def test_every_case_ends_with_the_users_question() -> None:
    assert {case.messages[-1]["role"] for case in cases(seed=2)} == {"user"}
