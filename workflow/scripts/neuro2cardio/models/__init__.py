"""Language models: fetched, prompted, fine-tuned and scored."""
