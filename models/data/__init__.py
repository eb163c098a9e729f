"""Labelled images: data sets and their disjoint parts, and the formats that they are read from."""
