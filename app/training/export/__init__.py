"""From a trained network to a pack that `arcid models add` takes."""
