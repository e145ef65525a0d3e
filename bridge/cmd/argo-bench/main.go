// Command argo-bench has the compiled parts of `make bench`. The scenarios and the report are in bench/ of the repository.
//
//	argo-bench oap --listen 127.0.0.1:0     serves an OAP with a constant response time; prints its address
//	argo-bench echo                         serves a metric plugin that responds immediately; Argo starts it
//	argo-bench load --system provider ...   reads loads from stdin, one JSON line each, and writes their results
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	log "github.com/sirupsen/logrus"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/argohost"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "argo-bench:", err)
		os.Exit(1)
	}
}

// run executes the command named by the first argument.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("command missing: use oap, echo or load")
	}
	switch args[0] {
	case "oap":
		return oap(ctx, args[1:])
	case "echo":
		echo()
		return nil
	case "load":
		return load(args[1:])
	}
	return fmt.Errorf("command %q unknown: use oap, echo or load", args[0])
}

// oap serves the OAP until the context ends.
func oap(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("oap", flag.ExitOnError)
	address := flags.String("listen", "127.0.0.1:0", "`host:port` to listen on")
	_ = flags.Parse(args)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	return bench.NewOAP(bench.Settings{Services: 1}).Serve(ctx, listener)
}

// echo serves the echo plugin until the controller ends it.
func echo() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "ARGO_ROLLOUTS_RPC_PLUGIN", MagicCookieValue: "metricprovider",
		},
		Plugins: map[string]goplugin.Plugin{"RpcMetricProviderPlugin": &rpc.RpcMetricProviderPlugin{Impl: bench.Echo{}}},
		Logger:  hclog.New(&hclog.LoggerOptions{JSONFormat: true, Output: os.Stderr}),
	})
}

// load runs the loads from stdin on one system.
func load(args []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	systemName := flags.String("system", "", "`name` of the system: provider, echo, built-in, bare or service")
	bridge := flags.String("bridge", "", "`path` of the bridge's binary (provider)")
	socket := flags.String("socket", "", "`path` of the service's socket (provider, service)")
	replicas := flags.String("replicas", "", "`target` of several replicas of the service, instead of --socket (provider)")
	address := flags.String("oap", "", "`url` of the OAP (built-in, bare)")
	_ = flags.Parse(args)
	log.SetOutput(os.Stderr)
	log.SetLevel(log.WarnLevel)
	// Upstream installs plugins below the working directory.
	home, err := os.MkdirTemp("", "argo-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	var system bench.System
	switch *systemName {
	case "provider":
		binary, err := filepath.Abs(*bridge)
		if err != nil {
			return err
		}
		system = bench.Plugin("skywalking/metrics")
		defer argohost.Close()
		endpoint := []string{"--socket=" + *socket}
		if *replicas != "" {
			endpoint = []string{"--address=" + *replicas, "--insecure"}
		}
		if err := install(home, "skywalking/metrics", binary, endpoint...); err != nil {
			return err
		}
	case "echo":
		self, err := os.Executable()
		if err != nil {
			return err
		}
		system = bench.Plugin("bench/echo")
		defer argohost.Close()
		if err := install(home, "bench/echo", self, "echo"); err != nil {
			return err
		}
	case "built-in":
		system = bench.BuiltIn(*address)
	case "bare":
		system = bench.NewBare(*address)
	case "service":
		service, err := bench.NewService("unix:" + *socket)
		if err != nil {
			return err
		}
		system = service
	default:
		return fmt.Errorf("--system %q unknown: use provider, echo, built-in, bare or service", *systemName)
	}
	lines, results := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var next bench.Load
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if err := results.Encode(next.Run(system)); err != nil {
			return err
		}
	}
	return lines.Err()
}

// install configures a plugin in Argo's client, with the directory as working directory.
func install(home, name, binary string, args ...string) error {
	if err := os.Chdir(home); err != nil {
		return err
	}
	return argohost.Install(types.PluginItem{Name: name, Location: "file://" + binary, Args: args})
}
