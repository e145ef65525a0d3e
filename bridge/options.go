package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/provider"
)

// version is the bridge's version. A release sets it with -ldflags "-X main.version=...".
var version = "0.1.0"

// maxSocketPath is the size of sun_path in Linux without the terminating NUL.
const maxSocketPath = 107

// options are the parsed command line.
type options struct {
	provider provider.Options
	version  bool // print the version and exit
}

// parseOptions parses and checks the command line. It writes the help to stderr, and errors nowhere.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	parsed := options{provider: provider.Options{Version: version}}
	var endpoint endpointFlags
	flags := flag.NewFlagSet("skywalking-bridge", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error
	flags.StringVar(&endpoint.socket, "socket", "", "absolute `path` of the sidecar's unix socket")
	flags.StringVar(&endpoint.address, "address", "",
		"`target` of a remote sidecar: host:port or dns:///host:port; calls are balanced round robin over all addresses of the name")
	flags.StringVar(&endpoint.tls.CA, "tls-ca", "", "`file` with the CA of the sidecar's certificate (PEM)")
	flags.StringVar(&endpoint.tls.Cert, "tls-cert", "", "`file` with the client certificate of this bridge (PEM)")
	flags.StringVar(&endpoint.tls.Key, "tls-key", "", "`file` with the key of --tls-cert (PEM); all TLS files are reloaded when they change")
	flags.StringVar(&endpoint.tls.ServerName, "tls-server-name", "", "`name` in the sidecar's certificate, if it differs from the host of --address")
	flags.BoolVar(&endpoint.insecure, "insecure", false, "allow --address without TLS to remote hosts")
	flags.DurationVar(&parsed.provider.OutageGrace, "outage-grace", 5*time.Minute,
		"time that a measurement waits for an unavailable sidecar, counted from its start; then it is Inconclusive")
	flags.DurationVar(&parsed.provider.RunTimeout, "run-timeout", 15*time.Second,
		"deadline of one Run or Resume; the sidecar's deadline is 0.5 s earlier")
	flags.BoolVar(&parsed.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stderr)
			fmt.Fprintln(stderr, "A metric plugin for Argo Rollouts. The controller starts it (metricProviderPlugins).")
			flags.PrintDefaults()
		}
		return parsed, err
	}
	if parsed.version {
		return parsed, nil
	}
	if flags.NArg() > 0 {
		return parsed, fmt.Errorf("unexpected argument %q: options begin with --", flags.Arg(0))
	}
	if parsed.provider.OutageGrace < 0 {
		return parsed, fmt.Errorf("--outage-grace %s: must not be negative", parsed.provider.OutageGrace)
	}
	if parsed.provider.RunTimeout < time.Second {
		return parsed, fmt.Errorf("--run-timeout %s: must be at least 1s", parsed.provider.RunTimeout)
	}
	var err error
	parsed.provider.Target, err = endpoint.target()
	parsed.provider.Streaming = endpoint.socket != ""
	if endpoint.tls != (provider.TLSFiles{}) {
		parsed.provider.TLS = &endpoint.tls
	}
	return parsed, err
}

// endpointFlags are the flags for the sidecar's endpoint and the security of the connection.
type endpointFlags struct {
	socket, address string
	tls             provider.TLSFiles
	insecure        bool
}

// target returns the gRPC target, and an error if the flags are inconsistent.
func (f endpointFlags) target() (string, error) {
	switch {
	case (f.socket == "") == (f.address == ""):
		return "", errors.New("sidecar endpoint missing or ambiguous: pass exactly one of --socket PATH and --address TARGET")
	case f.address != "":
		return f.address, f.checkAddress()
	case f.tls != (provider.TLSFiles{}):
		return "", errors.New("--tls-ca, --tls-cert, --tls-key, --tls-server-name: not allowed with --socket. Remove them, or use --address")
	case !filepath.IsAbs(f.socket):
		return "", fmt.Errorf("--socket %s: must be an absolute path", f.socket)
	case len(f.socket) > maxSocketPath:
		return "", fmt.Errorf("--socket %s: path has %d bytes, the limit is %d", f.socket, len(f.socket), maxSocketPath)
	}
	return (&url.URL{Scheme: "unix", Path: f.socket}).String(), nil
}

// targetPattern matches a target and captures its host:port. gRPC checks the name server.
var targetPattern = regexp.MustCompile(`^(?:dns://[^/]*/)?([^/]+)$`)

// checkAddress checks the form of --address and that the connection is protected by TLS, local, or explicitly insecure.
func (f endpointFlags) checkAddress() error {
	var host string
	err := errors.New("unsupported form")
	if parts := targetPattern.FindStringSubmatch(f.address); parts != nil {
		host, _, err = net.SplitHostPort(parts[1])
	}
	if err != nil {
		return fmt.Errorf("--address %s: %w. Use host:port or dns:///host:port", f.address, err)
	}
	if f.tls != (provider.TLSFiles{}) {
		switch {
		case f.insecure:
			return errors.New("--insecure: not allowed with the --tls- flags. Remove one or the other")
		case f.tls.CA == "" || f.tls.Cert == "" || f.tls.Key == "":
			return errors.New("--tls-ca, --tls-cert, --tls-key: incomplete. Pass all three: both sides verify each other's certificate")
		}
		return nil
	}
	if ip := net.ParseIP(host); f.insecure || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--address %s: connection to a remote host without TLS. Pass --tls-ca, --tls-cert and --tls-key,"+
		" use --socket, or accept it with --insecure", f.address)
}

// versionLine returns the versions of the bridge, the contract, Argo and Go, for bug reports.
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
