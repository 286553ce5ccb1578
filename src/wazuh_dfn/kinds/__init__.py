"""The kinds of alerts.

The code of each kind is in its own module, and the catalogue lists them all.
"""
