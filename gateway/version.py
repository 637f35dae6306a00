"""Which Drover this is."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("drover")
    except PackageNotFoundError:  # run from a checkout
        return "0.0.0+checkout"


VERSION = _installed()
