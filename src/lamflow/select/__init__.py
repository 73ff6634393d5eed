"""Selection: which of many unlabelled frames are worth a label."""
