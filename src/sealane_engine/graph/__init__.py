"""Operations, their keys, and the solver that turns them into results."""
