"""Speaker verification: encoders that embed a voice, and enrolment of the voice to compare with."""
