"""The trials of a search under Ray Tune: searcher, stopper, recorder, and how a trial gets to a GPU."""
