"""System calls, one small file for each group of them; they know nothing of us."""
