"""The one exception root of PrimeSVT."""


class PrimeSVTError(Exception):
    """Something the user can put right: the message says what is wrong, which value, and what to do.

    The command line prints the message alone and exits with code 2.
    """
