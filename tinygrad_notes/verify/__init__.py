"""Checks of every rule, from outside: the table of operations, proofs on symbols, wrong backwards.

`cases` is the table; `symbolic` reads rules on SymPy expressions and `proof` compares the shipped backward
with SymPy's derivative of the shipped forward (both need the extra "verify"); `wrong` is a catalogue of
mistakes that every check must catch; `report` prints all of it. `source` is the text of a rule.
"""
