import subprocess
import sys


def test_the_ledger_is_there_without_celery() -> None:
    """The session service has the ledger, and its extra brings no Celery."""
    code = "import sys; sys.modules['celery'] = None; import shared.ledger"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
