"""`python -m skywalking_provider.conditions.expr.precompile`: once, when an image or a working tree is made."""

import sys

from skywalking_provider.conditions.expr.wasm_module import is_precompiled, precompile, read_wasm


def main() -> int:
    """Write the machine code beside the wasm, unless it is there and fits; 0 if it is there afterwards."""
    try:
        wasm = read_wasm()
        if is_precompiled(wasm):
            return 0
        path = precompile(wasm)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
