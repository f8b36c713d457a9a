"""The command line: one module a verb, which declares arguments and calls one function. Decides nothing itself."""
