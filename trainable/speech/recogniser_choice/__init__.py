"""Which recogniser hears a language: the table of languages, the choice, and the guess at a language."""
