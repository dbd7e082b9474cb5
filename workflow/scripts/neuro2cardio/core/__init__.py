"""What every other room uses: errors, files, tables, provenance, and the names of specialties."""
