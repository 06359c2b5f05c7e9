"""Text: byte pairs, vocabularies, corpora in pieces, batches of sequences, and texts that come along."""

from .batches import Buckets, Ragged, Sequences, Stream, Streams
from .bpe import BytePairs
from .corpus import python_topics, read_rows, read_stream, read_text, sentence_pairs, surnames
from .dates import date_pairs
from .vocabulary import Vocabulary

__all__ = [
    "Buckets", "BytePairs", "Ragged", "Sequences", "Stream", "Streams", "Vocabulary", "date_pairs",
    "python_topics", "read_rows", "read_stream", "read_text", "sentence_pairs", "surnames",
]  # fmt: skip
