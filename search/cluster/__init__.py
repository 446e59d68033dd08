"""The Ray session of a search and the nodes of its cluster: joining, checking, waiting, cleaning up."""
