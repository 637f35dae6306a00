"""The hub: what a repository has, and one file of it, a broken download taken up where it broke."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._headers import build_hf_headers

from cli.model_store.choice import HubFile
from cli.model_store.digest import Progress
from cli.model_store.errors import ModelStoreError

ANSWER_TIMEOUT_S = 20.0

logging.getLogger("huggingface_hub").setLevel(
    logging.ERROR
)  # its warnings would tear the progress bar; the commands say themselves what happens


def list_files(repo: str, revision: str = "") -> list[HubFile]:
    """All files of the repository at its newest commit, or at `revision`. Raises ModelStoreError."""
    with _as_sentence(repo, revision):
        found = HfApi().model_info(repo, revision=revision or None, files_metadata=True, timeout=ANSWER_TIMEOUT_S)
    return [
        HubFile(
            repo=repo,
            path=sibling.rfilename,
            size_bytes=sibling.size or 0,
            commit=found.sha or "main",
            sha256=sibling.lfs.sha256 if sibling.lfs else "",
            git_id=sibling.blob_id or "",
        )
        for sibling in found.siblings or []
    ]


def fetch(file: HubFile, into: BinaryIO, progress: Progress) -> None:
    """Append to `into` what it lacks of the file. Raises ModelStoreError; what has come until then stays in `into`."""
    have = into.seek(0, os.SEEK_END)
    if file.size_bytes > constants.MAX_HTTP_DOWNLOAD_SIZE and not have:
        raise ModelStoreError(
            f"{file.path} has more than 50 GB, and the hub hands out less in one file: choose another."
        )
    with _as_sentence(file.repo, file.commit):
        http_get(
            hf_hub_url(file.repo, file.path, revision=file.commit),
            into,
            resume_size=have,
            headers=build_hf_headers(),
            expected_size=file.size_bytes,
            displayed_filename=file.name,
            tqdm_class=cast(Any, _bar_for(progress)),
        )


def _bar_for(progress: Progress) -> type:
    """What the library takes for a tqdm bar."""

    class Bar:
        def __init__(self, *_: object, initial: int = 0, **__: object):
            self._done = initial
            progress(initial)

        def update(self, more: int) -> None:
            self._done += more
            progress(self._done)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing to close."""

    return Bar


@contextmanager
def _as_sentence(repo: str, revision: str) -> Iterator[None]:
    """Every error of the library as a ModelStoreError that says what to do; OSErrors of the disk pass through."""
    try:
        yield
    except HFValidationError as error:
        raise ModelStoreError(f"'{repo}' is no repository's name: it looks like owner/name.") from error
    except GatedRepoError as error:
        raise ModelStoreError(
            f"{repo} is gated: accept its terms at {constants.ENDPOINT}/{repo}, then set HF_TOKEN to a token of yours."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelStoreError(f"{repo} has no revision '{revision}'.") from error
    except RepositoryNotFoundError as error:
        raise ModelStoreError(
            f"The hub has no model repository {repo}, or it is private: look at the name, or set HF_TOKEN."
        ) from error
    except RemoteEntryNotFoundError as error:
        raise ModelStoreError(f"The file is not in {repo} any more: ask for it again.") from error
    except HfHubHTTPError as error:
        raise ModelStoreError(_refusal(repo, error.response.status_code)) from error
    except (httpx2.HTTPError, OfflineModeIsEnabled) as error:
        raise ModelStoreError(
            f"The hub at {constants.ENDPOINT} cannot be reached, or the connection broke ({type(error).__name__}): "
            "look at the network, HF_ENDPOINT and HF_HUB_OFFLINE, then give the same command again."
        ) from error


def _refusal(repo: str, status: int) -> str:
    if status == 401:
        return (
            f"The hub shows {repo} to nobody without the right token: it does not exist, or is private or gated. Look "
            "at the name, or set HF_TOKEN."
        )
    if status == 403:
        return f"The hub refuses {repo} ({status}): set HF_TOKEN to a token that may read it."
    if status == 429:
        return "The hub wants fewer requests (429): wait a few minutes, or set HF_TOKEN."
    return f"The hub answered {status}: give the same command again later."
