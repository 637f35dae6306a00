import pytest

from tests.load.shapes import SHAPES


def counts(name: str, users: int, duration_s: int) -> list[int | None]:
    return [SHAPES[name].users_at(second, duration_s, users) for second in range(duration_s)]


@pytest.mark.parametrize("name", SHAPES)
def test_there_are_never_more_users_than_asked_for_and_never_none(name: str) -> None:
    found = counts(name, 20, 100)

    assert all(count is not None and 1 <= count <= 20 for count in found)
    assert max(count or 0 for count in found) == 20


@pytest.mark.parametrize("name", SHAPES)
def test_after_its_duration_a_shape_is_over(name: str) -> None:
    assert SHAPES[name].users_at(100, 100, 20) is None


@pytest.mark.parametrize("name", SHAPES)
def test_one_user_is_one_user_throughout(name: str) -> None:
    assert set(counts(name, 1, 50)) == {1}


def test_steady_is_all_users_at_once() -> None:
    assert set(counts("steady", 7, 10)) == {7}


def test_a_ramp_only_rises() -> None:
    found = counts("ramp", 10, 100)

    assert (found[0], found[-1]) == (1, 10)
    assert found == sorted(found, key=lambda count: count or 0)


def test_a_spike_is_ten_times_the_users_in_the_middle_fifth() -> None:
    found = counts("spike", 100, 100)

    assert [index for index, count in enumerate(found) if count == 100] == list(range(40, 60))
    assert set(found[:40] + found[60:]) == {10}


def test_a_soak_has_all_users_but_for_its_beginning() -> None:
    found = counts("soak", 10, 100)

    assert (found[0], set(found[5:])) == (1, {10})
