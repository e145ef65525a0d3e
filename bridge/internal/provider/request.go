package provider

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime/debug"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"google.golang.org/protobuf/proto"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// maxErrorText is the maximum number of characters of another process's error, so that the next step fits a message.
const maxErrorText = 768

// request is one call of Argo. Its messages and log lines are redacted, because Argo does not redact a plugin's log.
type request struct {
	*Plugin
	method   string
	run      *v1alpha1.AnalysisRun
	metric   v1alpha1.Metric
	previous v1alpha1.Measurement
	limit    int
	redactor redactor
}

// sidecarCall sends a prepared request to the sidecar.
type sidecarCall func(context.Context) (*contractv1.Measurement, error)

// newSidecarCall returns the sidecar call of the same method, or the error of the measurement. A rejection is stored for
// GetMetadata, which Argo calls for the same metric without its run, right after its first Run. The last run decides: a
// run with the same metric and no secret in it removes the rejection, so that no run can detect the secrets of another.
func (r *request) newSidecarCall() (sidecarCall, error) {
	var limitErr error
	r.redactor, limitErr = newRedactor(r.run)
	metric, err := projectMetric(r.metric)
	if err != nil {
		return nil, err
	}
	if err := r.redactor.rejectSecrets(r.run, metric); err != nil {
		r.rejectedMetrics.Add(digest(metric), r.redactor.redact(err.Error()))
		return nil, err
	}
	r.rejectedMetrics.Remove(digest(metric))
	if limitErr != nil {
		return nil, limitErr
	}
	client, run, previous := r.sidecar.client, projectRun(r.run), projectMeasurement(r.previous)
	return func(ctx context.Context) (*contractv1.Measurement, error) {
		switch r.method {
		case "Run":
			return client.Run(ctx, &contractv1.RunRequest{Run: run, Metric: metric})
		case "Resume":
			return client.Resume(ctx, &contractv1.ResumeRequest{Run: run, Metric: metric, Measurement: previous})
		case "Terminate":
			return client.Terminate(ctx, &contractv1.TerminateRequest{Run: run, Metric: metric, Measurement: previous})
		default:
			limit := int32(min(r.limit, 1<<30))
			_, err := client.GarbageCollect(ctx, &contractv1.GarbageCollectRequest{Run: run, Metric: metric, Limit: limit})
			return nil, err
		}
	}, nil
}

// recoverPanic logs a panic and passes its message to onPanic. Call it with defer.
func (r *request) recoverPanic(onPanic func(message string)) {
	if cause := recover(); cause != nil {
		r.warn("panic", "panic", cause, "stack", string(debug.Stack()))
		onPanic(fmt.Sprintf("BRIDGE_INTERNAL %s failed in the bridge: %v. Report it with the controller's log.", r.method, cause))
	}
}

// internalError returns the message of a call that the sidecar processed and failed.
func (r *request) internalError(err error) string {
	return "PROVIDER_ERROR sidecar call failed: " + r.redactAndTruncate(err.Error()) + ". See the sidecar's log and report it."
}

// redactAndTruncate returns the text of another process as one redacted line of at most maxErrorText characters. Redaction
// comes first: a truncated secret would not be found.
func (r *request) redactAndTruncate(text string) string {
	return boundLine(r.redactor.redact(text), maxErrorText)
}

// warn logs a redacted warning with the method and the metric.
func (r *request) warn(message string, args ...any) {
	args = append(args, "method", r.method, "metric", r.metric.Name)
	for i, arg := range args {
		args[i] = truncate(r.redactor.redact(fmt.Sprint(arg)), maxLogText)
	}
	r.log.Warn(message, args...)
}

// digest returns a hash of a metric: caches keep no text of a block.
func digest(metric *contractv1.Metric) [sha256.Size]byte {
	wire, _ := proto.Marshal(metric) // deterministic, because the message has no maps
	return sha256.Sum256(wire)
}
