"""What happens: recipe, plan, stages, the Beam wiring and the command line."""
