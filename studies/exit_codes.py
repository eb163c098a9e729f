"""What the command ``primesvt`` ends with."""

BAD_INPUT = 2
# A comparison whose plan keeps the limits in the search, and misses one on the test set.
LIMIT_MISSED = 3
# A comparison in which no study found a plan that keeps the limits.
NONE_FOUND = 4
INTERRUPTED = 130
