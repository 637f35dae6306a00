"""drover-tiny: dialogues, tokenizer, training, export and evaluation of the demo chat model."""
