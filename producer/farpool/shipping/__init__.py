"""Calls on their way: gathered, cut, encoded, and watched over until the last outcome is here."""
