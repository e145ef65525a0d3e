package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/provider"
)

// version of the bridge; a release sets it with -ldflags "-X main.version=...".
var version = "0.1.0"

// maxSocketPath is what fits into sun_path of Linux, its closing NUL aside.
const maxSocketPath = 107

type options struct {
	provider provider.Options
	version  bool
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	parsed := options{provider: provider.Options{Version: version}}
	var socket, address string
	var insecure bool
	flags := flag.NewFlagSet("skywalking-bridge", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is printed once, by the caller
	flags.StringVar(&socket, "socket", "", "absolute `path` of the sidecar's unix socket")
	flags.StringVar(&address, "address", "", "`target` of a provider elsewhere: host:port or dns:///host:port")
	flags.BoolVar(&insecure, "insecure", false, "allow --address without TLS to hosts other than this one")
	flags.DurationVar(&parsed.provider.OutageGrace, "outage-grace", 5*time.Minute,
		"how long a measurement waits for a sidecar that is away, counted from its start; then it is Inconclusive")
	flags.DurationVar(&parsed.provider.RunTimeout, "run-timeout", 15*time.Second,
		"deadline of one Run or Resume; the sidecar gets half a second less")
	flags.BoolVar(&parsed.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stderr)
			fmt.Fprintln(stderr, "A metric plugin of Argo Rollouts; the controller starts it (metricProviderPlugins).")
			flags.PrintDefaults()
		}
		return parsed, err
	}
	if parsed.version {
		return parsed, nil
	}
	if flags.NArg() > 0 {
		return parsed, fmt.Errorf("unexpected argument %q: every option begins with --", flags.Arg(0))
	}
	if parsed.provider.OutageGrace < 0 {
		return parsed, fmt.Errorf("--outage-grace %s: must not be negative", parsed.provider.OutageGrace)
	}
	if parsed.provider.RunTimeout < time.Second {
		return parsed, fmt.Errorf("--run-timeout %s: must be 1s or more", parsed.provider.RunTimeout)
	}
	var err error
	parsed.provider.Target, err = target(socket, address, insecure)
	return parsed, err
}

// target gives the gRPC target of the sidecar.
func target(socket, address string, insecure bool) (string, error) {
	switch {
	case (socket == "") == (address == ""):
		return "", errors.New("pass exactly one of --socket PATH and --address TARGET: where the sidecar listens")
	case address != "":
		return address, checkAddress(address, insecure)
	case !filepath.IsAbs(socket):
		return "", fmt.Errorf("--socket %s: must be an absolute path", socket)
	case len(socket) > maxSocketPath:
		return "", fmt.Errorf("--socket %s: has %d bytes, a unix socket's path at most %d", socket, len(socket), maxSocketPath)
	}
	return (&url.URL{Scheme: "unix", Path: socket}).String(), nil
}

func checkAddress(address string, insecure bool) error {
	host, _, err := net.SplitHostPort(strings.TrimPrefix(address, "dns:///"))
	if err != nil {
		return fmt.Errorf("--address %s: want host:port or dns:///host:port (%w)", address, err)
	}
	if ip := net.ParseIP(host); insecure || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--address %s: blocks would leave this host in the clear; use --socket, or accept it with --insecure", address)
}

// versionLine names what a bug report needs: our version, the contract's, Go's and Argo's.
func versionLine() string {
	argo := "unknown"
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "github.com/argoproj/argo-rollouts" {
				argo = module.Version
			}
		}
	}
	return fmt.Sprintf("skywalking-bridge %s (contract %d, argo-rollouts %s, %s)",
		version, provider.ContractMajor, argo, runtime.Version())
}
