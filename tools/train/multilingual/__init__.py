"""Training of the multilingual reranker: a cross-encoder that adds to the cosine of a bi-encoder."""
