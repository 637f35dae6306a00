"""What a command's exit status says; the table in --help and docs/cli.md is made of these."""

OK = 0
REFUSED = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130
OUTPUT_CLOSED = 141
"""128 + SIGPIPE, as a shell shows it of any program whose reader has left."""

MEANINGS = {
    OK: "done",
    REFUSED: "the server, or this machine, has refused; the sentence says what to do",
    USAGE: "the command line is not right",
    UNREACHABLE: "no server answers, or none is known",
    INTERRUPTED: "Ctrl-C; a generation that ran is cancelled on the server",
    OUTPUT_CLOSED: "whoever read the output has left, as in `… | head -1`",
}
EPILOG = "\b\nExit statuses:\n" + "\n".join(f"  {status:<4} {words}" for status, words in MEANINGS.items())
"""As --help shows it; \\b keeps its lines apart."""
