"""Which engine this worker runs: from its settings to a factory and the limits of the model cache."""

from shared.catalogue import Catalogue
from shared.settings import ConfigurationError
from worker.engine.base import EngineFactory
from worker.engine.simulated import SimulatedFactory, SimulatedOptions
from worker.hardware import Hardware, detect
from worker.model_cache import CacheOptions
from worker.settings import WorkerSettings


def engine_factory(settings: WorkerSettings, catalogue: Catalogue) -> EngineFactory:
    """The factory of the engine that is set. llama.cpp is loaded only if it is wanted: that takes a second."""
    if settings.engine == "simulated":
        return SimulatedFactory(
            SimulatedOptions(
                slots=settings.slots,
                batch_tokens=settings.batch_tokens,
                step_ms=settings.simulated_step_ms,
                prompt_token_ms=settings.simulated_prompt_token_ms,
                load_ms=settings.simulated_load_ms,
                answer_tokens=settings.simulated_answer_tokens,
                poison=settings.simulated_poison,
                hang_after_steps=settings.simulated_hang_after_steps,
            )
        )
    from worker.engine.llama import LlamaOptions
    from worker.engine.llama_factory import LlamaFactory

    found = hardware(settings)
    return LlamaFactory(
        LlamaOptions(
            slots=settings.slots,
            batch_tokens=settings.batch_tokens,
            threads=settings.threads or found.threads,
            n_gpu_layers=found.n_gpu_layers if settings.gpu_layers < 0 else settings.gpu_layers,
        ),
        adapter_path_of=catalogue.adapter_path_of,
        host_budget_bytes=found.host_budget_bytes,
    )


def hardware(settings: WorkerSettings) -> Hardware:
    """The machine as the engine that is set uses it."""
    if settings.engine == "simulated" or settings.gpu_layers == 0:
        return detect()
    from worker.engine.llama_devices import gpus

    return detect(gpus())


def cache_options(settings: WorkerSettings) -> CacheOptions:
    """The limits of the model cache; the budget is a share of the memory that models go to if none is set."""
    return CacheOptions(
        budget_bytes=settings.model_budget_bytes or hardware(settings).budget_bytes,
        pinned=frozenset(settings.pinned),
        room_wait_s=settings.room_wait_s,
        stall_s=settings.stall_s,
        prefill_stall_s=settings.prefill_stall_s,
    )


def check_settings(settings: WorkerSettings, catalogue: Catalogue) -> None:
    """Raises ConfigurationError for settings that do not fit each other or the catalogue."""
    if settings.batch_tokens < settings.slots:
        raise ConfigurationError(
            f"WORKER_BATCH_TOKENS ({settings.batch_tokens}) must hold a token of each slot: set it to WORKER_SLOTS "
            f"({settings.slots}) or more."
        )
    known = {entry.name for entry in catalogue.of_kind("chat")}
    for setting, names in (("WORKER_PRELOAD", settings.preload), ("WORKER_PINNED", settings.pinned)):
        strangers = [name for name in names if name not in known]
        if strangers:
            raise ConfigurationError(
                f"{setting} names {', '.join(strangers)}, but the catalogue's chat models are "
                f"{', '.join(sorted(known)) or 'none'}: correct it, or add the model to models.toml."
            )
