// The command spdx writes the bill of materials of one artifact as SPDX 2.3 in JSON. The same artifact and flags give the
// same bytes.
//
// Usage: spdx [flag...] NAME PURL SOURCE... > FILE
//
// Sources are folders and files that the artifact has or was built from:
//
//	root:FOLDER       file system of an image: Debian packages, Python distributions and Go programs
//	program:FILE      Go program, with the modules in it
//	module:GO.MOD     Go program without such a list (WebAssembly), with the modules of its go.mod
//	lock:FILE         Python distributions that the artifact needs, as locked by pip
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spdx/tools-golang/json"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "spdx: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	flags := flag.NewFlagSet("spdx", flag.ContinueOnError)
	about := subject{}
	flags.StringVar(&about.version, "version", "", "version of the artifact")
	flags.StringVar(&about.sha256, "sha256", "", "SHA-256 of the artifact, in hexadecimal digits")
	flags.StringVar(&about.purpose, "purpose", "APPLICATION", "primaryPackagePurpose: CONTAINER, APPLICATION or LIBRARY")
	flags.StringVar(&about.goVersion, "go", "", "Go release that built the programs without a list of modules")
	flags.StringVar(&about.repository, "repository", "", "URL of the source repository")
	epoch := flags.Int64("epoch", 0, "time of the document, in seconds since 1970")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() < 3 {
		return errors.New("arguments missing: NAME PURL SOURCE. Run spdx -help")
	}
	about.name, about.purl = flags.Arg(0), flags.Arg(1)
	bill := newBill(about, time.Unix(*epoch, 0).UTC())
	for _, source := range flags.Args()[2:] {
		kind, path, _ := strings.Cut(source, ":")
		read, known := map[string]func(*billOfMaterials, string) error{
			"root": addRoot, "program": addProgram, "module": addModule, "lock": addLock,
		}[kind]
		if !known {
			return fmt.Errorf("source %q is not root:, program:, module: or lock:", source)
		}
		if err := read(bill, path); err != nil {
			return fmt.Errorf("%s is not readable: %w", source, err)
		}
	}
	return json.Write(bill.finish(), os.Stdout, json.Indent("  "), json.EscapeHTML(false))
}
