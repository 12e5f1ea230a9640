"""What an operator sees of the bots: signs of life, open problems, one screen."""
