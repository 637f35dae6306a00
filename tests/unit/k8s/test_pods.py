import ast
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from k8s.check.manifest import Overlay
from k8s.check.pods import check_pods, drain_s
from session_service import settings as session_settings
from session_service import startup as session_startup
from worker.operations import Operations


def pod_spec(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["spec"]["template"]["spec"]
    return found


def test_no_pod_breaks_a_rule(each_overlay: Overlay) -> None:
    assert check_pods(each_overlay) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda spec: spec.update(enableServiceLinks=True), "enableServiceLinks must be false"),
        (lambda spec: spec.pop("automountServiceAccountToken"), "it gets a token for the cluster's API"),
        (lambda spec: spec["securityContext"].update(runAsNonRoot=False), "a user other than root"),
        (lambda spec: spec["securityContext"].update(seccompProfile={"type": "Unconfined"}), "seccomp profile"),
        (lambda spec: spec["securityContext"].update(runAsUser=1000), "run as user 10001"),
        (lambda spec: spec["securityContext"].update(fsGroup=10001), "opened to the group"),
        (lambda spec: spec.update(terminationGracePeriodSeconds=20), "it is killed after 20 s"),
        (lambda spec: spec["containers"][0]["securityContext"].pop("capabilities"), "drop all capabilities"),
        (lambda spec: spec["containers"][0]["securityContext"].pop("readOnlyRootFilesystem"), "read-only"),
        (lambda spec: spec["containers"][0]["resources"].pop("limits"), "bound its memory"),
        (lambda spec: spec["containers"][0].update(image="registry/drover-gateway:latest"), "names no version"),
        (lambda spec: spec["containers"][0].update(image="registry/drover-gateway"), "names no version"),
        (lambda spec: spec["containers"][0].update(image="drover-gateway:1.0"), "names no registry"),
        (lambda spec: spec["containers"][0]["livenessProbe"]["httpGet"].update(path="/healthz"), "asks /healthz"),
    ],
)
def test_a_rule_that_is_broken_is_told(
    production: Overlay, changed: Callable[..., Overlay], change: Callable[[dict[str, Any]], object], words: str
) -> None:
    problems = check_pods(changed(production, "Deployment", "gateway", lambda data: change(pod_spec(data))))

    assert any(words in problem for problem in problems), problems


def test_the_time_for_the_drain_follows_the_settings(production: Overlay) -> None:
    drains = {pod.name: drain_s(production, pod) for pod in production.pods()}

    assert drains == {
        "gateway": 122.0,
        "worker": 32.0,
        "session-service": 10.0,
        "embedding-service": 20.0,
        "migrations": 0.0,
        "models-pull": 0.0,
    }


def test_a_worker_answers_what_its_probes_ask(production: Overlay) -> None:
    worker = next(pod for pod in production.pods() if pod.name == "worker").containers[0]
    paths = {worker[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    operations = Operations("127.0.0.1", 0, liveness=lambda: {"x": "ok"}, readiness=lambda: {"x": "loading"})
    operations.start()

    statuses = {path: _status(f"http://127.0.0.1:{operations.port}{path}") for path in paths}
    operations.stop()

    assert statuses == {"/livez": 200, "/readyz": 503}


def test_a_session_service_waits_for_the_schema_by_what_its_code_has(production: Overlay) -> None:
    waiting = next(pod for pod in production.pods() if pod.name == "session-service").all_containers[1]
    code = waiting["command"][-1].split("'")[1]
    modules = {"settings": session_settings, "startup": session_startup}

    named = [
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
    ]

    assert {name for _, name in named} == {"SessionSettings", "wait_for_postgres", "require_schema"}
    assert all(hasattr(modules[module], name) for module, name in named)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
