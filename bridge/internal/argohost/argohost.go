// Package argohost drives a metric plugin binary as an Argo Rollouts controller does, with upstream's own configuration,
// downloader and plugin client. The demo, the tests and the benchmarks use it.
package argohost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/argoproj/argo-rollouts/metric"
	metricplugin "github.com/argoproj/argo-rollouts/metricproviders/plugin"
	"github.com/argoproj/argo-rollouts/metricproviders/skywalking"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
	"github.com/argoproj/argo-rollouts/utils/config"
	"github.com/argoproj/argo-rollouts/utils/defaults"
	"github.com/argoproj/argo-rollouts/utils/plugin"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	goplugin "github.com/hashicorp/go-plugin"
	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

// Install configures the plugins and copies their binaries to ./plugin-bin, as the controller does at its start. Upstream's
// state is global: a process has one set of plugins, and the working directory belongs to it.
func Install(plugins ...types.PluginItem) error {
	text, err := yaml.Marshal(plugins)
	if err != nil {
		return err
	}
	client := fake.NewSimpleClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: defaults.DefaultRolloutsConfigMapName, Namespace: defaults.Namespace()},
		Data:       map[string]string{"metricProviderPlugins": string(text)},
	})
	if _, err := config.InitializeConfig(client, defaults.DefaultRolloutsConfigMapName); err != nil {
		return err
	}
	return plugin.DownloadPlugins(rejectDownloads{}, client)
}

// Close ends the plugin processes, as the controller does at its stop.
func Close() { goplugin.CleanupClients() }

// Request is one operation on a plugin.
type Request struct {
	ID          json.RawMessage       `json:"id"`
	Op          string                `json:"op"`
	Run         *v1alpha1.AnalysisRun `json:"run"`
	Metric      v1alpha1.Metric       `json:"metric"`
	Measurement v1alpha1.Measurement  `json:"measurement"`
	Limit       int                   `json:"limit"`
}

// Response is a result of an operation. A loop has several responses; Done marks the last one.
type Response struct {
	ID          json.RawMessage       `json:"id"`
	Measurement *v1alpha1.Measurement `json:"measurement,omitempty"`
	Metadata    map[string]string     `json:"metadata,omitempty"`
	Type        string                `json:"type,omitempty"`
	Error       string                `json:"error,omitempty"`
	ElapsedMs   float64               `json:"elapsedMs"`
	Done        bool                  `json:"done"`
}

// Execute makes the calls of a request and passes each response to emit.
func Execute(ctx context.Context, request Request, emit func(Response)) {
	began := time.Now()
	respond := func(a Response) {
		a.ID, a.ElapsedMs = request.ID, float64(time.Since(began).Microseconds())/1000
		emit(a)
	}
	if err := execute(ctx, request, respond); err != nil {
		respond(Response{Error: err.Error(), Done: true})
	}
}

// execute makes the calls of a request. The responses lack ID and elapsed time.
func execute(ctx context.Context, request Request, respond func(Response)) error {
	resolved, err := resolveArgs(request.Run, request.Metric)
	if err != nil {
		return err
	}
	request.Metric = resolved
	provider, err := newProvider(request)
	if err != nil {
		return err
	}
	respondMeasurement := func(m v1alpha1.Measurement) { respond(Response{Measurement: &m, Done: true}) }
	switch request.Op {
	case "run", "builtin":
		respondMeasurement(provider.Run(request.Run, request.Metric))
	case "resume":
		respondMeasurement(provider.Resume(request.Run, request.Metric, request.Measurement))
	case "terminate":
		respondMeasurement(provider.Terminate(request.Run, request.Metric, request.Measurement))
	case "loop":
		return runUntilFinished(ctx, provider, request, respond)
	case "gc":
		err := provider.GarbageCollect(request.Run, request.Metric, request.Limit)
		if err == nil {
			respond(Response{Done: true})
		}
		return err
	case "metadata":
		respond(Response{Metadata: provider.GetMetadata(request.Metric), Done: true})
	case "type":
		respond(Response{Type: provider.Type(), Done: true})
	default:
		return fmt.Errorf("op %q unknown: use run, resume, terminate, loop, gc, metadata, type or builtin", request.Op)
	}
	return nil
}

// runUntilFinished runs a measurement and resumes it at its ResumeAt until it is finished. Like the controller, it builds
// the provider for every call: only then upstream detects that a plugin process has ended.
func runUntilFinished(ctx context.Context, provider metric.Provider, request Request, respond func(Response)) error {
	m := provider.Run(request.Run, request.Metric)
	for !m.Phase.Completed() {
		respond(Response{Measurement: m.DeepCopy()})
		if m.ResumeAt == nil {
			return fmt.Errorf("phase %q without resumeAt: Argo would never resume the measurement", m.Phase)
		}
		select {
		case <-time.After(time.Until(m.ResumeAt.Time)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		next, err := newProvider(request)
		if err != nil {
			return err
		}
		if m, err = roundTripJSON(m); err != nil {
			return err
		}
		m = next.Resume(request.Run, request.Metric, m)
	}
	respond(Response{Measurement: &m, Done: true})
	return nil
}

// roundTripJSON returns a measurement as the API server stores it, for example with whole seconds.
func roundTripJSON(m v1alpha1.Measurement) (out v1alpha1.Measurement, err error) {
	text, err := json.Marshal(m)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(text, &out)
}

// resolveArgs resolves the run's arguments in a metric, as the controller does.
func resolveArgs(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric) (v1alpha1.Metric, error) {
	if run == nil || len(run.Spec.Args) == 0 {
		return metric, nil
	}
	resolved, err := analysisutil.ResolveMetricArgs(metric, run.Spec.Args)
	if err != nil {
		return metric, fmt.Errorf("Unable to resolve metric arguments: %w", err) //nolint:staticcheck // upstream's text
	}
	return *resolved, nil
}

// newProvider returns the plugin's provider, or Argo's built-in SkyWalking provider for op builtin.
func newProvider(request Request) (metric.Provider, error) {
	if request.Op != "builtin" {
		return metricplugin.NewRpcPlugin(request.Metric)
	}
	if request.Metric.Provider.SkyWalking == nil {
		return nil, errors.New("op builtin: the metric has no provider.skywalking")
	}
	client, err := skywalking.NewSkyWalkingClient(request.Metric, nil)
	if err != nil {
		return nil, err
	}
	return skywalking.NewSkyWalkingProvider(client, *log.NewEntry(log.New())), nil
}

// rejectDownloads is a downloader that always fails: the binary is a local file.
type rejectDownloads struct{}

// Get returns an error.
func (rejectDownloads) Get(url string, _ http.Header) (*http.Response, error) {
	return nil, fmt.Errorf("%s: %w", url, os.ErrPermission)
}
