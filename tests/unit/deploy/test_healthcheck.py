import os
import subprocess
import sys

from deploy.images.healthcheck import is_service

HERE = str(os.getpid())


def test_this_process_is_no_service_of_a_containers_init() -> None:
    assert not is_service(HERE)


def test_a_port_where_nobody_listens_is_unhealthy() -> None:
    check = [sys.executable, "-IS", "deploy/images/healthcheck.py", "SOME_PORT=1", "/livez"]

    assert subprocess.run(check, check=False).returncode == 1
