"""The engine of `sklearnx.io`: model files, and models of other libraries."""
