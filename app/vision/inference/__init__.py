"""Everything that says "onnxruntime", and the files that it runs."""
