"""`python -m stackdoctor`."""

from stackdoctor.cli.main import main

if __name__ == "__main__":
    main()
