"""The formats that data sets are read from, one file each: what it recognises, and how it is opened."""
