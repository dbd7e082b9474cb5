"""Clinical terms: the lexicon, and where its terms and their placebos stand in questions."""
