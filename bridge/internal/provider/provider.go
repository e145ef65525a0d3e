// Package provider answers the calls of Argo's metric plugin interface out of a sidecar that serves the contract.
//
// Argo sets no deadline on a plugin call, recovers no panic, and waits for ever on an answer that is neither
// finished nor to be resumed. So every call here ends in time, with an answer that Argo can go on with.
package provider

import (
	"context"
	"time"

	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	"github.com/hashicorp/go-hclog"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/lru"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	// margin is what the sidecar gets less than the bridge has, to answer in its stead.
	responseMargin = 500 * time.Millisecond
	// shortTimeout is the deadline of the calls that measure nothing.
	shortTimeout = 2 * time.Second
	// maxRefused bounds the refusals that wait for GetMetadata; it follows within milliseconds.
	maxRejectedMetrics = 1024
	// explainedFor is how long an explanation of a metric serves whoever asks the same, maxExplained how many do: the
	// runs of a burst have few metrics of different text, and Argo asks once for each of each.
	metadataTTL       = 10 * time.Second
	maxCachedMetadata = 512
)

// Options of the bridge, from its command line.
type Options struct {
	// Target is the gRPC target of the sidecar.
	Target string
	// TLS with the sidecar; nil: none.
	TLS *TLSFiles
	// OutageGrace is how long a measurement waits for a sidecar that is away, counted from its start.
	OutageGrace time.Duration
	// RunTimeout is the deadline of Run and Resume.
	RunTimeout time.Duration
	// Version of the bridge, told to the sidecar.
	Version string
}

// Plugin implements Argo's MetricProviderPlugin. Its methods are called concurrently, for the runs of all
// namespaces: what is here must not carry anything from one to another.
type Plugin struct {
	options         Options
	sidecar         *sidecar
	rejectedMetrics *lru.Cache            // digests of metrics with a secret, to the reason
	metadataCache   *cache.LRUExpireCache // digests of metrics, to what the sidecar says of their text alone
	log             hclog.Logger
	notifySlots     chan struct{}
	now             func() time.Time
}

var _ rpc.MetricProviderPlugin = (*Plugin)(nil)

// New gives a plugin that has not touched the network.
func New(options Options, log hclog.Logger) (*Plugin, error) {
	sidecar, err := newSidecar(options, log)
	if err != nil {
		return nil, err
	}
	return &Plugin{
		options: options, sidecar: sidecar, rejectedMetrics: lru.New(maxRejectedMetrics), metadataCache: cache.NewLRUExpireCache(maxCachedMetadata),
		log: log, notifySlots: make(chan struct{}, maxPendingNotifications), now: time.Now,
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

// GetMetadata explains a metric. While the sidecar is away there is nothing to say. Of a metric that was not refused
// there is nothing to mask: it is free of its run's secrets.
func (p *Plugin) GetMetadata(metric v1alpha1.Metric) (metadata map[string]string) {
	errorMetadata := func(message string) map[string]string { return map[string]string{"error": message} }
	c := &request{Plugin: p, method: "GetMetadata", metric: metric}
	defer c.recoverPanic(func(message string) { metadata = errorMetadata(message) })
	projected, err := projectMetric(metric)
	if err != nil {
		return errorMetadata(err.Error())
	}
	key := digest(projected)
	if reason, rejected := p.rejectedMetrics.Get(key); rejected {
		return errorMetadata(reason.(string))
	}
	if cached, found := p.metadataCache.Get(key); found {
		return cached.(map[string]string)
	}
	ctx, cancel := context.WithTimeout(context.Background(), shortTimeout-responseMargin)
	defer cancel()
	response, err := p.sidecar.client.GetMetadata(ctx, &contractv1.GetMetadataRequest{Metric: projected})
	if err != nil {
		c.warn("no metadata", "error", err)
		if code, _ := p.sidecar.classifyError(err, shortTimeout-responseMargin); code != "" {
			return nil
		}
		return errorMetadata("PROVIDER_ERROR the sidecar failed: " + c.redactAndTruncate(err.Error()))
	}
	p.metadataCache.Add(key, response.GetMetadata(), metadataTTL)
	return response.GetMetadata()
}
