// Package provider implements Argo's metric plugin interface by calls to a sidecar that serves the contract.
//
// Argo sets no deadline on a plugin call and does not recover panics. It never resumes a measurement that is neither
// finished nor has a resume time. Every call here therefore ends by its deadline, with a result that Argo can process.
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
	// responseMargin is the difference between the bridge's deadline and the sidecar's. The bridge needs it to return a
	// result of its own when the sidecar exceeds its deadline.
	responseMargin = 500 * time.Millisecond
	// shortTimeout is the deadline of the calls that return no measurement.
	shortTimeout = 2 * time.Second
	// maxRejectedMetrics is the maximum number of rejections kept for GetMetadata, which follows within milliseconds.
	maxRejectedMetrics = 1024
	// metadataTTL is the lifetime of cached metadata, maxCachedMetadata the maximum number of entries. The runs of a burst
	// share few distinct metrics, and Argo requests the metadata of every metric of every run.
	metadataTTL       = 10 * time.Second
	maxCachedMetadata = 512
)

// Options of the bridge, from its command line.
type Options struct {
	// Target is the gRPC target of the sidecar.
	Target string
	// Streaming selects one stream for all measurements instead of a call each. Calls are balanced over replicas.
	Streaming bool
	// TLS files for the connection to the sidecar; nil disables TLS.
	TLS *TLSFiles
	// OutageGrace is the time that a measurement waits for an unavailable sidecar, counted from the measurement's start.
	OutageGrace time.Duration
	// RunTimeout is the deadline of Run and Resume.
	RunTimeout time.Duration
	// Version of the bridge, sent to the sidecar.
	Version string
}

// Plugin implements Argo's MetricProviderPlugin. Its methods are called concurrently for the runs of all namespaces, so its
// state must not carry data of one namespace to another.
type Plugin struct {
	options         Options
	sidecar         *sidecar
	rejectedMetrics *lru.Cache            // digest of a metric with a secret → reason of the rejection
	metadataCache   *cache.LRUExpireCache // digest of a metric → metadata, which depends on the metric alone
	log             hclog.Logger
	notifySlots     chan struct{}
	now             func() time.Time
}

var _ rpc.MetricProviderPlugin = (*Plugin)(nil)

// New returns a plugin. It opens no connection.
func New(options Options, log hclog.Logger) (*Plugin, error) {
	sidecar, err := newSidecar(options, log)
	if err != nil {
		return nil, err
	}
	return &Plugin{
		options: options, sidecar: sidecar, log: log, now: time.Now,
		rejectedMetrics: lru.New(maxRejectedMetrics),
		metadataCache:   cache.NewLRUExpireCache(maxCachedMetadata),
		notifySlots:     make(chan struct{}, maxPendingNotifications),
	}, nil
}

// Close closes the connection to the sidecar.
func (p *Plugin) Close() error { return p.sidecar.conn.Close() }

// InitPlugin logs the start and returns immediately: the controller calls it under a lock shared by all its plugins.
func (p *Plugin) InitPlugin() types.RpcError {
	p.log.Info("started", "version", p.options.Version, "sidecar", p.options.Target)
	return types.RpcError{}
}

// Type returns the provider's name.
func (p *Plugin) Type() string { return "SkyWalking" }

// GetMetadata returns the metadata of a metric, and none while the sidecar is unavailable. The metadata needs no redaction:
// a metric that was not rejected contains no secret of its run.
func (p *Plugin) GetMetadata(metric v1alpha1.Metric) (metadata map[string]string) {
	errorMetadata := func(message string) map[string]string {
		return map[string]string{"error": boundLine(message, maxMessage)}
	}
	r := &request{Plugin: p, method: "GetMetadata", metric: metric}
	defer r.recoverPanic(func(message string) { metadata = errorMetadata(message) })
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
		r.warn("metadata unavailable", "error", err)
		if code, _ := p.sidecar.classifyError(err, shortTimeout-responseMargin); code != "" {
			return nil
		}
		return errorMetadata(r.internalError(err))
	}
	metadata = boundMetadata(response.GetMetadata())
	p.metadataCache.Add(key, metadata, metadataTTL)
	return metadata
}
