"""`python -m neuro` is `neuro`."""

from neuro.cli import main

if __name__ == "__main__":
    main()
