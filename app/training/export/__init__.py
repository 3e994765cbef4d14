"""Export of a trained network as a pack for `arcid models add`."""
