"""Reads datasets in all accepted forms, divides them into blocks, and standardises them."""
