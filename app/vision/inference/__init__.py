"""Inference: packs of networks, ONNX Runtime sessions, and batching."""
