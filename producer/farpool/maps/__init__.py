"""Maps: inputs read as they are needed, results in order, large arrays found and sent once."""
