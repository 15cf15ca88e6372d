"""Small data sets that come with the package."""

from sklearnx.datasets._adult import load_adult

__all__ = ["load_adult"]
