package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	metricplugin "github.com/argoproj/argo-rollouts/metricproviders/plugin"
	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/argoproj/argo-rollouts/metricproviders/skywalking"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	log "github.com/sirupsen/logrus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/provider"
)

// System is a metric provider under load.
type System interface {
	// Metric returns the metric of an item in the system's format.
	Metric(workItem) v1alpha1.Metric
	// Measure makes one measurement. first is true for the first one of a metric in its run.
	Measure(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, first bool) v1alpha1.Measurement
}

// Plugin is the name of a metric plugin, called through Argo's own client. It must be installed.
type Plugin string

// Metric implements Side.
func (p Plugin) Metric(i workItem) v1alpha1.Metric { return i.pluginMetric(string(p)) }

// Measure makes the calls of Argo's analysis worker in its order: find the plugin (a ping), Run, GetMetadata.
func (p Plugin) Measure(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, first bool) v1alpha1.Measurement {
	provider, err := metricplugin.NewRpcPlugin(metric)
	if err != nil {
		return errorMeasurement(err)
	}
	m := provider.Run(run, metric)
	if first {
		provider.GetMetadata(metric)
	}
	return m
}

// BuiltIn is Argo's own SkyWalking provider in this process. Its value is the OAP's address.
type BuiltIn string

// Metric implements Side.
func (b BuiltIn) Metric(i workItem) v1alpha1.Metric { return i.builtInMetric(string(b)) }

// Measure implements Side.
func (b BuiltIn) Measure(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, first bool) v1alpha1.Measurement {
	client, err := skywalking.NewSkyWalkingClient(metric, nil)
	if err != nil {
		return errorMeasurement(err)
	}
	provider := skywalking.NewSkyWalkingProvider(client, *log.NewEntry(log.StandardLogger()))
	m := provider.Run(run, metric)
	if first {
		provider.GetMetadata(metric)
	}
	return m
}

// Bare sends the built-in provider's query to an OAP and evaluates no condition. It measures the time of the OAP itself.
type Bare struct {
	BuiltIn
	client *http.Client
}

// NewBare returns a client that keeps up to 1024 idle connections, so that no load opens new ones.
func NewBare(address string) Bare {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = 1024, 1024
	return Bare{BuiltIn(address), &http.Client{Transport: transport}}
}

// Measure implements Side.
func (b Bare) Measure(_ *v1alpha1.AnalysisRun, metric v1alpha1.Metric, _ bool) v1alpha1.Measurement {
	interval, err := metric.Provider.SkyWalking.Interval.Duration()
	if err != nil {
		return errorMeasurement(err)
	}
	now := time.Now().UTC()
	body, _ := json.Marshal(map[string]any{"query": metric.Provider.SkyWalking.Query, "variables": map[string]any{
		"duration": map[string]string{
			"start": now.Add(-interval).Format(bucketFormat), "end": now.Format(bucketFormat), "step": "MINUTE",
		},
	}})
	response, err := b.client.Post(string(b.BuiltIn)+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		return errorMeasurement(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		return errorMeasurement(fmt.Errorf("%s %w", response.Status, err))
	}
	return v1alpha1.Measurement{Phase: v1alpha1.AnalysisPhaseSuccessful}
}

// Service is the provider's service, called by its contract without Argo's plugin protocol and the bridge.
type Service struct {
	client contractv1.MetricProviderClient
}

// NewService returns a client of the service at a gRPC target.
func NewService(target string) (Service, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return Service{}, err
	}
	return Service{provider.NewClient(conn, true)}, nil
}

// Metric implements Side.
func (Service) Metric(i workItem) v1alpha1.Metric { return i.pluginMetric("service") }

// Measure implements Side.
func (s Service) Measure(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, first bool) v1alpha1.Measurement {
	ctx, cancel := context.WithTimeout(context.Background(), 14500*time.Millisecond)
	defer cancel()
	projected := &contractv1.Metric{
		Name: metric.Name, SuccessCondition: metric.SuccessCondition, Block: metric.Provider.Plugin["service"],
	}
	response, err := s.client.Run(ctx, &contractv1.RunRequest{
		Run: &contractv1.Run{
			Namespace: run.Namespace, Name: run.Name, Uid: string(run.UID), Labels: run.Labels,
			Owner:     &contractv1.Owner{Kind: run.OwnerReferences[0].Kind, Name: run.OwnerReferences[0].Name},
			CreatedAt: timestamppb.New(run.CreationTimestamp.Time), StartedAt: timestamppb.New(run.Status.StartedAt.Time),
		},
		Metric: projected,
	})
	if err == nil && first {
		_, err = s.client.GetMetadata(ctx, &contractv1.GetMetadataRequest{Metric: projected})
	}
	if err != nil {
		return errorMeasurement(err)
	}
	return v1alpha1.Measurement{Phase: phases[response.GetPhase()], Message: response.GetMessage(), Value: response.GetValue()}
}

var phases = map[contractv1.Phase]v1alpha1.AnalysisPhase{
	contractv1.Phase_PHASE_RUNNING:      v1alpha1.AnalysisPhaseRunning,
	contractv1.Phase_PHASE_SUCCESSFUL:   v1alpha1.AnalysisPhaseSuccessful,
	contractv1.Phase_PHASE_FAILED:       v1alpha1.AnalysisPhaseFailed,
	contractv1.Phase_PHASE_ERROR:        v1alpha1.AnalysisPhaseError,
	contractv1.Phase_PHASE_INCONCLUSIVE: v1alpha1.AnalysisPhaseInconclusive,
}

func errorMeasurement(err error) v1alpha1.Measurement {
	return v1alpha1.Measurement{Phase: v1alpha1.AnalysisPhaseError, Message: err.Error()}
}

// Echo is the baseline: a metric plugin that responds immediately.
type Echo struct{}

var _ rpc.MetricProviderPlugin = Echo{}

// InitPlugin implements rpc.MetricProviderPlugin.
func (Echo) InitPlugin() types.RpcError { return types.RpcError{} }

// Run implements rpc.MetricProviderPlugin.
func (Echo) Run(_ *v1alpha1.AnalysisRun, metric v1alpha1.Metric) v1alpha1.Measurement {
	now := metav1.Now()
	return v1alpha1.Measurement{
		Phase: v1alpha1.AnalysisPhaseSuccessful, Value: metric.Name, StartedAt: &now, FinishedAt: &now,
	}
}

// Resume implements rpc.MetricProviderPlugin.
func (Echo) Resume(_ *v1alpha1.AnalysisRun, _ v1alpha1.Metric, m v1alpha1.Measurement) v1alpha1.Measurement {
	return m
}

// Terminate implements rpc.MetricProviderPlugin.
func (Echo) Terminate(_ *v1alpha1.AnalysisRun, _ v1alpha1.Metric, m v1alpha1.Measurement) v1alpha1.Measurement {
	return m
}

// GarbageCollect implements rpc.MetricProviderPlugin.
func (Echo) GarbageCollect(*v1alpha1.AnalysisRun, v1alpha1.Metric, int) types.RpcError {
	return types.RpcError{}
}

// Type implements rpc.MetricProviderPlugin.
func (Echo) Type() string { return "Echo" }

// GetMetadata implements rpc.MetricProviderPlugin.
func (Echo) GetMetadata(v1alpha1.Metric) map[string]string { return nil }
