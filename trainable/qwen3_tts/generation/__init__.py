"""Generation: from text and a speaker embedding to codes and audio."""
