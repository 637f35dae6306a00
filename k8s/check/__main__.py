"""`python -m k8s.check`: renders every overlay, looks at it in every way, and says what is wrong."""

import argparse
import sys
from collections.abc import Callable

from k8s.check.alert_rules import TARGET, prometheus_rule
from k8s.check.arrows import check_arrows
from k8s.check.environment import check_environment
from k8s.check.manifest import Overlay
from k8s.check.metrics import check_metrics
from k8s.check.pods import check_pods
from k8s.check.references import check_references
from k8s.check.rendering import RenderingError, all_overlays, overlay
from k8s.check.validation import VERSIONS, check_schemas

CHECKS: dict[str, Callable[[Overlay], list[str]]] = {
    f"schemas of Kubernetes {' and '.join(version.rpartition('.')[0] for version in VERSIONS)}": check_schemas,
    "references": check_references,
    "settings": check_environment,
    "pods": check_pods,
    "metrics": check_metrics,
    "network policies": check_arrows,
}


def main() -> int:
    """The exit status: 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m k8s.check", description=__doc__)
    parser.add_argument("--write", action="store_true", help="first write the alert rules of deploy/monitoring anew")
    if parser.parse_args().write:
        TARGET.write_text(prometheus_rule(), encoding="utf-8")
    return check_all()


def check_all() -> int:
    """Look at every overlay and print what is found; 0 when nothing is wrong."""
    status = 0
    for name in all_overlays():
        try:
            found = overlay(name)
        except RenderingError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.counts().items())
        sys.stdout.write(f"{name}: {len(found.manifests)} objects ({kinds})\n")
        for words, check in CHECKS.items():
            problems = check(found)
            sys.stdout.write(f"  {words}: {'ok' if not problems else f'{len(problems)} wrong'}\n")
            sys.stdout.writelines(f"    {problem}\n" for problem in problems)
            status |= bool(problems)
    return status


if __name__ == "__main__":
    sys.exit(main())
