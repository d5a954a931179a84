"""Commands of the command line that have several verbs, one module each; ``spread.__main__`` lists them all."""
