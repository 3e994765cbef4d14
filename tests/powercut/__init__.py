"""Power cuts: record every change of a data folder, rebuild the disk as a cut would leave it, and restart on it."""
