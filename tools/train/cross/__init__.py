"""An English cross-encoder that keeps the breadth of the bi-encoder it starts from."""
