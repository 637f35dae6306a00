"""Looks at what the overlays render to: `make k8s-check`. Needs kubectl, but no cluster."""
