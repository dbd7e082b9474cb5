"""Giving questions their specialties: prompts, requests, votes, conformal sets, experts, release."""
