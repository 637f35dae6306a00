"""`drover`: the command line, and the embedded stack that `drover up` keeps running."""
