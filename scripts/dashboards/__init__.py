"""Grafana's dashboards, described in Python: `make dashboards` writes deploy/monitoring/grafana/dashboards.

A test fails when they differ: what Grafana shows is what was reviewed here.
"""
