"""From one text to another: what the tasks seq2seq (by characters) and translation (by byte pairs) share.

Reading order: settings (the options of both), texts (pairs, how they are split, and their ids), task (the
base of both tasks), bleu.
"""
