// Package provider answers the calls of Argo's metric plugin interface out of a sidecar that serves the contract.
//
// Argo sets no deadline on a plugin call, recovers no panic, and waits for ever on an answer that is neither
// finished nor to be resumed. So every call here ends in time, with an answer that Argo can go on with.
package provider

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	"github.com/hashicorp/go-hclog"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	// margin is what the sidecar gets less than the bridge has, to answer in its stead.
	margin = 500 * time.Millisecond
	// shortTimeout is the deadline of the calls that measure nothing.
	shortTimeout = 2 * time.Second
	// maxSentence bounds what is repeated of a foreign text, in bytes: Argo keeps messages in the AnalysisRun.
	maxSentence = 1024
)

// Options of the bridge, from its command line.
type Options struct {
	// Target is the gRPC target of the sidecar.
	Target string
	// OutageGrace is how long a measurement waits for a sidecar that is away, counted from its start.
	OutageGrace time.Duration
	// RunTimeout is the deadline of Run and Resume.
	RunTimeout time.Duration
	// Version of the bridge, told to the sidecar.
	Version string
}

// Plugin implements Argo's MetricProviderPlugin. Its methods are called concurrently.
type Plugin struct {
	options Options
	sidecar *sidecar
	secrets *secrets
	log     hclog.Logger
	tells   chan struct{}
	now     func() time.Time
}

var _ rpc.MetricProviderPlugin = (*Plugin)(nil)

// New gives a plugin that has not touched the network.
func New(options Options, log hclog.Logger) (*Plugin, error) {
	sidecar, err := newSidecar(options.Target, options.Version)
	if err != nil {
		return nil, err
	}
	return &Plugin{
		options: options, sidecar: sidecar, secrets: newSecrets(), log: log,
		tells: make(chan struct{}, maxTells), now: time.Now,
	}, nil
}

// Close ends the connection to the sidecar.
func (p *Plugin) Close() error { return p.sidecar.conn.Close() }

// InitPlugin returns at once: it runs under a lock that all metric plugins of the controller share.
func (p *Plugin) InitPlugin() types.RpcError {
	p.log.Info("started", "version", p.options.Version, "sidecar", p.options.Target)
	return types.RpcError{}
}

// Type names the provider.
func (p *Plugin) Type() string { return "SkyWalking" }

// GetMetadata explains a metric. Argo asks once per run, right after the first Run; while the sidecar is away there
// is nothing to say.
func (p *Plugin) GetMetadata(metric v1alpha1.Metric) (metadata map[string]string) {
	began := p.now()
	defer func() {
		if bug := recover(); bug != nil {
			metadata = map[string]string{"error": p.bug("GetMetadata", bug)}
		}
		metadata = p.secrets.metadata(metadata)
	}()
	projected, err := projectMetric(metric)
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	if secret := p.secrets.inBlock(nil, projected); secret != "" {
		return map[string]string{"error": "SECRET_IN_BLOCK " + secret +
			": credentials belong in a backend of the provider's configuration"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), shortTimeout-margin)
	defer cancel()
	reply, err := ask(ctx, p.sidecar, p.sidecar.client.GetMetadata, &contractv1.GetMetadataRequest{Metric: projected})
	if err != nil {
		p.warn("no metadata", "metric", metric.Name, "error", err)
		if _, away := p.sidecar.outage(err, p.now().Sub(began)); away {
			return nil
		}
		return map[string]string{"error": "PROVIDER_ERROR the sidecar failed: " + p.sentence(err.Error())}
	}
	return reply.GetMetadata()
}

// bug logs a panic and gives its sentence.
func (p *Plugin) bug(method string, bug any) string {
	p.warn("panic", "method", method, "panic", bug, "stack", string(debug.Stack()))
	return fmt.Sprintf("BRIDGE_BUG %s failed inside the bridge: %v; please report it with the controller's log", method, bug)
}

// sentence is a foreign text as one line of bounded length. Secrets go first: cut in two they would not be found.
func (p *Plugin) sentence(text string) string {
	line := strings.Join(strings.Fields(p.secrets.text(text)), " ")
	if len(line) > maxSentence {
		line = strings.ToValidUTF8(line[:maxSentence], "") + "…"
	}
	return line
}

// warn logs without secrets. Argo does not redact what plugins write.
func (p *Plugin) warn(message string, args ...any) {
	for i, arg := range args {
		args[i] = p.secrets.text(fmt.Sprint(arg))
	}
	p.log.Warn(message, args...)
}
