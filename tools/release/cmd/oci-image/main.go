// The command oci-image writes root directories, one for each platform, as one image without a container engine.
//
// The configuration of its containers comes from the last stage of a Dockerfile or from flags. The same files and flags
// give the same bytes. Owners and modes of the files are kept.
//
// Usage: oci-image [flag...] NAME OUT [OS/ARCH=]ROOT...
//
// A root without a platform is that of Linux on this machine. OUT is an OCI image layout: a directory with compressed layers, which crane pushes, or a file that ends with .tar and
// has layers without compression, which containerd imports.
package main

import (
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "oci-image: %v\n", err)
		os.Exit(1)
	}
}

// words collects the values of a flag that may be repeated.
type words []string

func (w *words) String() string     { return strings.Join(*w, " ") }
func (w *words) Set(v string) error { *w = append(*w, v); return nil }

func run(arguments []string) error {
	flags := flag.NewFlagSet("oci-image", flag.ContinueOnError)
	dockerfile := flags.String("dockerfile", "", "file whose last stage has the configuration, instead of the flags below")
	epoch := flags.Int64("epoch", 0, "time of the image and its files, in seconds since 1970")
	config := v1.Config{}
	flags.StringVar(&config.User, "user", "", "user of the containers")
	flags.StringVar(&config.WorkingDir, "workdir", "", "working directory of the containers")
	flags.Var((*words)(&config.Env), "env", "environment variable NAME=VALUE; may be repeated")
	flags.Var((*words)(&config.Entrypoint), "entrypoint", "word of the entry point; may be repeated")
	flags.Var((*words)(&config.Cmd), "cmd", "word of the command; may be repeated")
	var given words
	flags.Var(&given, "arg", "build argument NAME=VALUE of the Dockerfile; may be repeated")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() < 3 {
		return errors.New("arguments missing: NAME OUT [OS/ARCH=]ROOT. Run oci-image -help")
	}
	if *dockerfile != "" {
		text, err := os.ReadFile(*dockerfile)
		if err != nil {
			return err
		}
		if config, err = readDockerfile(text, given); err != nil {
			return fmt.Errorf("%s is not usable: %w", *dockerfile, err)
		}
	}
	name, out := flags.Arg(0), flags.Arg(1)
	write, level := writeDirectory, gzip.DefaultCompression
	if strings.HasSuffix(out, ".tar") {
		write, level = writeArchive, gzip.NoCompression // it is read once
	}
	builder := builder{config: config, created: time.Unix(*epoch, 0).UTC(), level: level}
	index, err := builder.buildIndex(flags.Args()[2:])
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	if err := write(out, name, index); err != nil {
		return err
	}
	fmt.Printf("%s@%s\n", name, digest)
	return nil
}
