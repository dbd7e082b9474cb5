"""Clinical terms: the lexicon, and the places of its terms and their placebos in questions."""
