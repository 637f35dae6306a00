"""The worker: job in, events out. It claims jobs, holds models and runs their batches; it knows nothing of HTTP."""
