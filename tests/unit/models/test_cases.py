from collections import Counter

from models.tiny.cases import cases

WANTED = {"recall name": 4, "recall 6 or more turns later": 3, "capital": 5}


def test_there_are_as_many_cases_of_a_kind_as_the_table_says() -> None:
    assert Counter(case.kind for case in cases(1, WANTED)) == WANTED


def test_every_case_ends_with_the_users_question() -> None:
    assert {case.messages[-1]["role"] for case in cases(2, WANTED)} == {"user"}
