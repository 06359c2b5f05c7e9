"""The drawings of the first chapters, as those of `pictures.py`."""
