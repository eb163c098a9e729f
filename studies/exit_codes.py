"""What the command ``primesvt`` ends with."""

BAD_INPUT = 2
INTERRUPTED = 130
