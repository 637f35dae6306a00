"""What drover-tiny can do: each skill makes one turn of a dialogue."""
