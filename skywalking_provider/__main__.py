"""`python -m skywalking_provider` is `skywalking-provider`."""

from skywalking_provider.cli import main

main()
