"""A service that answers with a model that `sklearnx.io.save` has written."""
