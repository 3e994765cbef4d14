"""From the bytes that a package carries to an ONNX file that ONNX Runtime loads. Runs when a pack is pulled."""
