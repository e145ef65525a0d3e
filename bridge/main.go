// Command skywalking-bridge is the plugin that a stock Argo Rollouts controller starts: it hands every call to the
// sidecar that does the work, in bounded time.
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

// handshake is the one of Argo's metric plugins; Argo does not export it (metricproviders/plugin/client).
var handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "ARGO_ROLLOUTS_RPC_PLUGIN",
	MagicCookieValue: "metricprovider",
}

func main() {
	os.Exit(serve(os.Args[1:], os.Stdout, os.Stderr))
}

// serve runs the plugin until the controller ends it, and returns the exit status: 0, or 2 for a wrong command line.
// Nothing but the handshake may reach stdout when a controller started us; stderr is taken before go-plugin
// replaces it, so that no line is lost.
func serve(args []string, stdout, stderr io.Writer) int {
	options, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		// The prefix is what go-plugin shows at its level in the controller's log.
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
		// Under any other key the controller would be left with a nil plugin, and crash on its second use.
		Plugins: map[string]goplugin.Plugin{"RpcMetricProviderPlugin": &rpc.RpcMetricProviderPlugin{Impl: plugin}},
		Logger:  log,
	})
	return 0
}
