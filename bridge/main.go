// Command skywalking-bridge is the plugin that a stock Argo Rollouts controller starts. It forwards every call to the
// sidecar and returns by the call's deadline.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/provider"
)

// handshake is the handshake of Argo's metric plugins, which Argo does not export (metricproviders/plugin/client).
var handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "ARGO_ROLLOUTS_RPC_PLUGIN",
	MagicCookieValue: "metricprovider",
}

func main() {
	os.Exit(serve(os.Args[1:], os.Stdout, os.Stderr))
}

// serve runs the plugin until the controller ends it, and returns the exit status: 0, or 2 for an invalid command line.
// A controller expects only the handshake on stdout. The logger takes stderr before go-plugin replaces it, so that no log
// line is lost.
func serve(args []string, stdout, stderr io.Writer) int {
	options, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		// go-plugin takes the level of the line in the controller's log from this prefix.
		fmt.Fprintf(stderr, "[ERROR] skywalking-bridge: %v\n", err)
		return 2
	case options.version:
		fmt.Fprintln(stdout, versionLine())
		return 0
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "skywalking-bridge", JSONFormat: true, Output: stderr})
	plugin, err := provider.New(options.provider, log)
	if err != nil {
		fmt.Fprintf(stderr, "[ERROR] skywalking-bridge: %v\n", err)
		return 2
	}
	defer plugin.Close()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		// With any other key the controller would get a nil plugin and crash on its second use.
		Plugins: map[string]goplugin.Plugin{"RpcMetricProviderPlugin": &rpc.RpcMetricProviderPlugin{Impl: plugin}},
		Logger:  log,
	})
	return 0
}
