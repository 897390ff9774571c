"""The machinery: what an author subclasses, and what scores it. Importing it costs nothing but the standard library."""

from fourfold.suite.method import Budget, Ledger, Method

__all__ = ["Budget", "Ledger", "Method"]
