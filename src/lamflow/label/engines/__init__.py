"""The labellers that come with lamflow, one file each."""
