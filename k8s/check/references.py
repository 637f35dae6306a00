"""Whatever a manifest refers to must be there: configuration, secrets, volumes, pods, ports and services."""

from collections.abc import Iterator
from typing import Any

from k8s.check.manifest import Data, Manifest, Overlay, Pod, selects

SCALED = {"HorizontalPodAutoscaler": "scaleTargetRef", "ScaledObject": "scaleTargetRef"}


def check_references(overlay: Overlay) -> list[str]:
    """One sentence for each reference that leads nowhere."""
    return [
        *(problem for pod in overlay.pods() for problem in _of_pod(overlay, pod)),
        *(problem for service in overlay.of_kind("Service") for problem in _of_service(overlay, service)),
        *(problem for monitor in overlay.of_kind("ServiceMonitor") for problem in _of_monitor(overlay, monitor)),
        *(problem for ingress in overlay.of_kind("Ingress") for problem in _of_ingress(overlay, ingress)),
        *(problem for scaler in overlay.of_kind(*SCALED) for problem in _of_scaler(overlay, scaler)),
        *_of_selectors(overlay),
    ]


def secret_keys(overlay: Overlay, name: str) -> set[str] | None:
    """The keys of a secret that is rendered or expected; None if there is none of that name."""
    if secret := overlay.find("Secret", name):
        return {*secret.data.get("data", {}), *secret.data.get("stringData", {})}
    expected = overlay.expected_secrets.get(name)
    return None if expected is None else set(expected)


def _of_pod(overlay: Overlay, pod: Pod) -> Iterator[str]:
    for container in pod.all_containers:
        yield from _of_container(overlay, pod, container)
    for volume in pod.spec.get("volumes", []):
        yield from _of_volume(overlay, pod, volume)


def _of_container(overlay: Overlay, pod: Pod, container: Data) -> Iterator[str]:
    where = f"{pod.owner}, container {container['name']}"
    for source in container.get("envFrom", []):
        yield from _missing_map(overlay, source.get("configMapRef", {}), where)
    for variable in container.get("env", []):
        given = variable.get("valueFrom", {})
        yield from _missing_key(overlay, given.get("secretKeyRef"), f"{where}, {variable['name']}")
        yield from _missing_map(overlay, given.get("configMapKeyRef", {}), where)
    volumes = {volume["name"] for volume in pod.spec.get("volumes", [])} | _claim_templates(overlay, pod)
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes:
            yield f"{where}: there is no volume {mount['name']}."
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        for way in ("httpGet", "tcpSocket"):
            if (check := container.get(probe, {}).get(way)) and pod.port(check["port"]) is None:
                yield f"{where}: its {probe} asks port {check['port']}, which it does not have."


def _missing_key(overlay: Overlay, reference: dict[str, Any] | None, where: str) -> Iterator[str]:
    if reference is None or reference.get("optional"):
        return
    keys = secret_keys(overlay, reference["name"])
    if keys is None:
        yield f"{where}: nobody makes the secret {reference['name']}, and expected-secrets.yaml does not name it."
    elif reference["key"] not in keys:
        yield f"{where}: the secret {reference['name']} has no key {reference['key']}."


def _missing_map(overlay: Overlay, reference: dict[str, Any], where: str) -> Iterator[str]:
    if not reference or reference.get("optional"):
        return
    found = overlay.find("ConfigMap", reference["name"])
    if found is None:
        yield f"{where}: there is no ConfigMap {reference['name']}."
    elif "key" in reference and reference["key"] not in found.data.get("data", {}):
        yield f"{where}: the ConfigMap {reference['name']} has no key {reference['key']}."


def _of_volume(overlay: Overlay, pod: Pod, volume: Data) -> Iterator[str]:
    where = f"{pod.owner}, volume {volume['name']}"
    yield from _missing_map(overlay, volume.get("configMap", {}), where)
    if (claim := volume.get("persistentVolumeClaim")) and not overlay.find("PersistentVolumeClaim", claim["claimName"]):
        yield f"{where}: there is no PersistentVolumeClaim {claim['claimName']}."
    if (secret := volume.get("secret")) and secret_keys(overlay, secret["secretName"]) is None:
        yield f"{where}: there is no secret {secret['secretName']}."


def _claim_templates(overlay: Overlay, pod: Pod) -> set[str]:
    owner = overlay.find("StatefulSet", pod.owner)
    return {claim["metadata"]["name"] for claim in owner.spec.get("volumeClaimTemplates", [])} if owner else set()


def _of_service(overlay: Overlay, service: Manifest) -> Iterator[str]:
    pods = [pod for pod in overlay.pods() if selects({"matchLabels": service.spec["selector"]}, pod.labels)]
    if not pods:
        yield f"{service.title} selects no pods."
    for port in service.spec["ports"]:
        if any(pod.port(port.get("targetPort", port["port"])) is None for pod in pods):
            yield f"{service.title}: its pods have no port {port['targetPort']}."


def _of_monitor(overlay: Overlay, monitor: Manifest) -> Iterator[str]:
    services = [found for found in overlay.of_kind("Service") if selects(monitor.spec["selector"], found.labels)]
    if not services:
        yield f"{monitor.title} selects no services."
    ports = {port["name"] for service in services for port in service.spec["ports"]}
    for endpoint in monitor.spec["endpoints"]:
        if endpoint["port"] not in ports:
            yield f"{monitor.title}: no service has a port {endpoint['port']}."


def _of_ingress(overlay: Overlay, ingress: Manifest) -> Iterator[str]:
    for rule in ingress.spec["rules"]:
        for path in rule["http"]["paths"]:
            backend = path["backend"]["service"]
            service = overlay.find("Service", backend["name"])
            if service is None or backend["port"]["name"] not in {port["name"] for port in service.spec["ports"]}:
                yield f"{ingress.title}: there is no service {backend['name']} with that port."
    for secret in (entry["secretName"] for entry in ingress.spec.get("tls", [])):
        if secret_keys(overlay, secret) is None:
            yield f"{ingress.title}: nobody makes the secret {secret}."


def _of_scaler(overlay: Overlay, scaler: Manifest) -> Iterator[str]:
    target = scaler.spec[SCALED[scaler.kind]]
    found = overlay.find(target.get("kind", "Deployment"), target["name"])
    if found is None:
        yield f"{scaler.title}: there is nothing called {target['name']} to scale."
    elif "replicas" in found.spec:
        yield f"{scaler.title}: {found.title} sets replicas too; each apply would undo what the autoscaler did."
    for metric in scaler.spec.get("metrics", []):
        described = metric.get("object", {}).get("describedObject")
        if described and not overlay.find(described["kind"], described["name"]):
            yield f"{scaler.title}: there is no {described['kind']} {described['name']}."


def _of_selectors(overlay: Overlay) -> Iterator[str]:
    for manifest in overlay.of_kind("Deployment", "StatefulSet", "PodDisruptionBudget"):
        pods = [pod for pod in overlay.pods() if selects(manifest.spec["selector"], pod.labels)]
        if len(pods) != 1:
            yield f"{manifest.title} selects the pods of {len(pods)} workloads, not of one."
    for pod in overlay.pods():
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            if not selects(constraint["labelSelector"], pod.labels):
                yield f"{pod.owner}: a topology spread constraint counts other pods than its own."
