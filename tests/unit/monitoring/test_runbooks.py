import re

import pytest

from scripts.marked_section import with_section
from scripts.metrics_table import PAGE, table
from tests.unit.monitoring.rule_files import ALERTS, Alert

TEXT = PAGE.read_text(encoding="utf-8")
RUNBOOKS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", TEXT.partition("## Runbooks")[2], re.MULTILINE | re.DOTALL))

every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def test_every_runbook_is_some_alerts() -> None:
    assert set(RUNBOOKS) == {alert.name for alert in ALERTS}


@every_alert
def test_an_alert_leads_to_its_runbook(alert: Alert) -> None:
    assert alert.annotations["runbook_url"] == f"docs/operations.md#{alert.name.lower()}"


@every_alert
def test_a_runbook_says_what_it_is_what_users_feel_what_to_do_and_when_it_is_over(alert: Alert) -> None:
    runbook = RUNBOOKS[alert.name]

    parts = (r"\*\*Means\*\*", r"\*\*(Users|The user)\b", r"\*\*Look\*\*", r"\*\*Do\*\*", r"\*\*Over\*\*")
    assert re.search(".+".join(parts), runbook, re.DOTALL)


def test_the_table_of_metrics_is_up_to_date() -> None:
    assert with_section(TEXT, "metrics", table()) == TEXT, "run `make dashboards`"
