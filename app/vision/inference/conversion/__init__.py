"""Conversion of networks to ONNX files that ONNX Runtime loads. Runs when a pack is pulled."""
