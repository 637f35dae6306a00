"""What crosses a wall between two services: plain messages, contracts and the job ledger."""
