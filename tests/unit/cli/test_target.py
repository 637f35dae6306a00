import pytest

from cli.target import addresses


@pytest.mark.parametrize(
    ("words", "urls"),
    [
        ("", []),
        ("http://a:1/", ["http://a:1"]),
        ("a:1,https://b/v/, c", ["http://a:1", "https://b/v", "http://c"]),
        (" a\n", ["http://a"]),
        ("https://a/v1/", ["https://a"]),
    ],
)
def test_addresses_may_be_several_and_short(words: str, urls: list[str]) -> None:
    assert addresses(words) == urls
