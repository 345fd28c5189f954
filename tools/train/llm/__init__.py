"""Scripts that make the embedded decoder rerankers: a Gemma-type one and a layerwise MiniCPM-type one."""
