"""The commands of ``primesvt``, one file each: ``add_arguments`` and ``run``; its docstring is its help."""
