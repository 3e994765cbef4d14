"""The composition root: nothing else constructs what lives as long as the process."""
