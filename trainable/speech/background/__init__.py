"""Speech recognisers beside other work: the child process in which they compute, and the memory that they take."""
