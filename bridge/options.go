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
	var endpoint endpointFlags
	flags := flag.NewFlagSet("skywalking-bridge", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is printed once, by the caller
	flags.StringVar(&endpoint.socket, "socket", "", "absolute `path` of the sidecar's unix socket")
	flags.StringVar(&endpoint.address, "address", "",
		"`target` of a provider elsewhere: host:port or dns:///host:port; calls take turns over all addresses of the name")
	flags.StringVar(&endpoint.tls.CA, "tls-ca", "", "`file` with the authority of the provider's certificate (PEM)")
	flags.StringVar(&endpoint.tls.Cert, "tls-cert", "", "`file` with the certificate that the provider knows this bridge by (PEM)")
	flags.StringVar(&endpoint.tls.Key, "tls-key", "", "`file` with its private key (PEM); all files are read again when they change")
	flags.StringVar(&endpoint.tls.ServerName, "tls-server-name", "", "`name` in the provider's certificate, if it is not the host of --address")
	flags.BoolVar(&endpoint.insecure, "insecure", false, "allow --address without TLS to hosts other than this one")
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
	parsed.provider.Target, err = endpoint.target()
	if endpoint.tls != (provider.TLSFiles{}) {
		parsed.provider.TLS = &endpoint.tls
	}
	return parsed, err
}

// place is where the sidecar listens and how it is spoken to.
type endpointFlags struct {
	socket, address string
	tls             provider.TLSFiles
	insecure        bool
}

// target gives the gRPC target.
func (f endpointFlags) target() (string, error) {
	switch {
	case (f.socket == "") == (f.address == ""):
		return "", errors.New("pass exactly one of --socket PATH and --address TARGET: where the sidecar listens")
	case f.address != "":
		return f.address, f.checkAddress()
	case f.tls != (provider.TLSFiles{}):
		return "", errors.New("--tls-ca, --tls-cert, --tls-key, --tls-server-name: are for --address, a socket needs none")
	case !filepath.IsAbs(f.socket):
		return "", fmt.Errorf("--socket %s: must be an absolute path", f.socket)
	case len(f.socket) > maxSocketPath:
		return "", fmt.Errorf("--socket %s: has %d bytes, a unix socket's path at most %d", f.socket, len(f.socket), maxSocketPath)
	}
	return (&url.URL{Scheme: "unix", Path: f.socket}).String(), nil
}

// named takes host:port out of a target; the name server before it is gRPC's business.
var targetPattern = regexp.MustCompile(`^(?:dns://[^/]*/)?([^/]+)$`)

func (f endpointFlags) checkAddress() error {
	var host string
	err := errors.New("it has another form")
	if parts := targetPattern.FindStringSubmatch(f.address); parts != nil {
		host, _, err = net.SplitHostPort(parts[1])
	}
	if err != nil {
		return fmt.Errorf("--address %s: want host:port or dns:///host:port (%w)", f.address, err)
	}
	if f.tls != (provider.TLSFiles{}) {
		switch {
		case f.insecure:
			return errors.New("--insecure: means without TLS; leave it out, or the --tls- flags")
		case f.tls.CA == "" || f.tls.Cert == "" || f.tls.Key == "":
			return errors.New("--tls-ca, --tls-cert, --tls-key: pass all three; the provider and the bridge each want to know the other")
		}
		return nil
	}
	if ip := net.ParseIP(host); f.insecure || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--address %s: blocks would leave this host in the clear; pass --tls-ca, --tls-cert and --tls-key,"+
		" use --socket, or accept it with --insecure", f.address)
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
