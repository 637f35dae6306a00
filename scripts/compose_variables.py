"""The variables of docker-compose.yml that are no settings of a service, for .env.example and docs/configuration.md."""

COMPOSE_VARIABLES: list[tuple[str, str, str]] = [
    ("COMPOSE_PROFILES", "", "parts that are off by default, with commas: observability, rabbitmq"),
    ("DROVER_BIND", "127.0.0.1", "the address that nginx is published on; others than this machine's need own secrets"),
    ("DROVER_PORT", "8080", "and its port"),
    ("DROVER_GATEWAYS", "2", "how many gateways"),
    ("DROVER_WORKERS", "2", "how many workers"),
    ("DROVER_WORKER_CPUS", "2.0", "cores of one worker; 0: all"),
    ("DROVER_WORKER_MEMORY", "2g", "memory of one worker: 0.7 of it are for models"),
    ("DROVER_EMBEDDING_CPUS", "1.0", "cores of the embedding service; 0: all"),
    ("DROVER_EMBEDDING_MEMORY", "1g", "its memory"),
    ("DROVER_ADMIN_KEY", "drv_devadmin_development-only-change-me", "the key of the role admin; the default is public"),
    ("POSTGRES_PASSWORD", "development-only", "counts when the volume is made; the default is public"),
    ("REDIS_PASSWORD", "development-only", "the default is public"),
    ("RABBITMQ_PASSWORD", "development-only", "counts when the volume is made; the default is public"),
    ("GRAFANA_PASSWORD", "development-only", "of the user admin, when the volume is made; the default is public"),
    ("DROVER_REGISTRY", "", "before the images' names, with a slash at its end"),
    ("DROVER_TAG", "dev", "the images' tag"),
    (
        "DROVER_LLAMA_IMAGE",
        "python:3.12-slim",
        "where llama.cpp is compiled; for GPUs nvidia/cuda:12.8.1-devel-ubuntu24.04",
    ),
    ("DROVER_CMAKE_ARGS", "-DGGML_NATIVE=OFF", "and how; for GPUs -DGGML_NATIVE=OFF -DGGML_CUDA=ON"),
    ("PROMETHEUS_PORT", "9090", "on 127.0.0.1"),
    ("PROMETHEUS_RETENTION", "15d", "how long it keeps its data"),
    ("GRAFANA_PORT", "3000", "on 127.0.0.1"),
    ("JAEGER_PORT", "16686", "on 127.0.0.1"),
    ("DOCKER_CONTAINERS_DIR", "/var/lib/docker/containers", "where Docker keeps the containers' logs"),
    ("HF_TOKEN", "", "for `docker compose run --rm drover models pull`"),
]
"""(name, default in docker-compose.yml, what it is); a test compares."""
