"""nginx lets tokens through as they come, and sends on only what may be sent twice."""

import re

import pytest

from gateway.settings import GatewaySettings
from tests.unit.deploy.files import ROOT


@pytest.fixture(scope="module")
def text() -> str:
    whole = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    return re.sub(r"#.*", "", whole)


def seconds(text: str, directive: str) -> int:
    match = re.search(rf"\b{directive} (\d+)s;", text)
    assert match, f"{directive} is not set"
    return int(match[1])


def block(text: str, heading: str) -> str:
    match = re.search(rf"{re.escape(heading)} \{{(.*?)\n        \}}", text, re.DOTALL)
    assert match, f"{heading} is not there"
    return match[1]


@pytest.mark.parametrize("directive", ["proxy_buffering off", "proxy_cache off", "gzip off", "tcp_nodelay on"])
def test_tokens_are_not_held_back(text: str, directive: str) -> None:
    assert f"{directive};" in text


def test_connections_to_the_gateways_are_kept(text: str) -> None:
    assert "proxy_http_version 1.1;" in text
    assert 'proxy_set_header Connection "";' in text
    assert re.search(r"\bkeepalive \d+;", text)


def test_nginx_closes_idle_connections_before_a_gateway_does(text: str) -> None:
    serving = (ROOT / "shared" / "http" / "serving.py").read_text(encoding="utf-8")
    gateway_s = re.search(r"timeout_keep_alive=(\d+)", serving)

    assert gateway_s
    assert seconds(text, "keepalive_timeout") < int(gateway_s[1])


def test_a_plain_answer_may_take_as_long_as_its_job(text: str) -> None:
    assert seconds(text, "proxy_read_timeout") > GatewaySettings.model_fields["default_timeout_s"].default


def test_a_post_goes_to_a_second_gateway_only_under_an_idempotency_key(text: str) -> None:
    assert text.count("non_idempotent") == 1
    assert "non_idempotent" in block(text, "location @repeatable")
    assert re.search(r'map \$http_idempotency_key \$is_repeatable \{\s*default 1;\s*""\s+0;', text)


def test_nobody_outside_sees_the_metrics(text: str) -> None:
    assert "return 404;" in block(text, "location = /metrics")


def test_queries_are_not_logged(text: str) -> None:
    log_format = re.search(r"log_format (.*?);", text, re.DOTALL)

    assert log_format
    assert re.findall(r"\$(request|request_uri|args|http_authorization|request_body)\b", log_format[1]) == []


def test_all_that_nginx_writes_is_in_the_tmpfs(text: str) -> None:
    written = re.findall(r"\b(?:pid|\w+_temp_path) (\S+);", text)

    assert len(written) == 6
    assert [path for path in written if not path.startswith("/tmp/")] == []
