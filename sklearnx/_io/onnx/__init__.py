"""Writing models in ONNX."""
