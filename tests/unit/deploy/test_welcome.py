import json
import shlex

from deploy.compose.welcome import lines

PUBLIC = "drv_devuser_development-only-change-me"


def curl_of(said: list[str]) -> list[str]:
    return shlex.split(next(line for line in said if line.strip().startswith("curl")))


def test_the_line_of_curl_can_be_pasted() -> None:
    words = curl_of(lines("127.0.0.1", "8080", PUBLIC))

    assert words[:3] == ["curl", "-N", "http://127.0.0.1:8080/v1/chat/completions"]
    assert f"Authorization: Bearer {PUBLIC}" in words
    assert json.loads(words[-1])["model"] == "drover-tiny"


def test_a_key_that_is_not_public_is_not_logged() -> None:
    said = "\n".join(lines("0.0.0.0", "80", "drv_abcd_0123456789abcdef0123"))

    assert "0123456789abcdef" not in said
    assert "http://127.0.0.1:80/" in said
