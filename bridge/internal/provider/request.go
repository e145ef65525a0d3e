package provider

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"google.golang.org/protobuf/proto"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// maxSentence bounds what is repeated of a foreign text, in bytes: Argo keeps messages in the AnalysisRun.
const maxErrorText = 1024

// call is one call of Argo's. What it says and logs is without the secrets of its run; Argo redacts no plugin's log.
type request struct {
	*Plugin
	method   string
	run      *v1alpha1.AnalysisRun
	metric   v1alpha1.Metric
	previous v1alpha1.Measurement
	limit    int
	redactor redactor
}

// asking is a call of the sidecar, ready to be made.
type sidecarCall func(context.Context) (*contractv1.Measurement, error)

// prepared gives the sidecar's call of the same name, or the error that is its measurement. A refusal is kept for
// GetMetadata, which Argo asks for the same metric without its run, right after its first Run. The last run decides:
// whoever has the same text and no secret in it is answered as if nobody had been refused.
func (c *request) newSidecarCall() (sidecarCall, error) {
	var limitErr error
	c.redactor, limitErr = newRedactor(c.run)
	metric, err := projectMetric(c.metric)
	if err != nil {
		return nil, err
	}
	if err := c.redactor.rejectSecrets(c.run, metric); err != nil {
		c.rejectedMetrics.Add(digest(metric), c.redactor.redact(err.Error()))
		return nil, err
	}
	c.rejectedMetrics.Remove(digest(metric))
	if limitErr != nil {
		return nil, limitErr
	}
	client, run, previous := c.sidecar.client, projectRun(c.run), projectMeasurement(c.previous)
	return func(ctx context.Context) (*contractv1.Measurement, error) {
		switch c.method {
		case "Run":
			return client.Run(ctx, &contractv1.RunRequest{Run: run, Metric: metric})
		case "Resume":
			return client.Resume(ctx, &contractv1.ResumeRequest{Run: run, Metric: metric, Measurement: previous})
		case "Terminate":
			return client.Terminate(ctx, &contractv1.TerminateRequest{Run: run, Metric: metric, Measurement: previous})
		default:
			limit := int32(min(c.limit, 1<<30))
			_, err := client.GarbageCollect(ctx, &contractv1.GarbageCollectRequest{Run: run, Metric: metric, Limit: limit})
			return nil, err
		}
	}, nil
}

// recovered, deferred, logs a panic and hands on its sentence.
func (c *request) recoverPanic(onPanic func(message string)) {
	if cause := recover(); cause != nil {
		c.warn("panic", "panic", cause, "stack", string(debug.Stack()))
		onPanic(fmt.Sprintf("BRIDGE_INTERNAL %s failed inside the bridge: %v; please report it with the controller's log", c.method, cause))
	}
}

// sentence is a foreign text as one line of bounded length. Secrets go first: cut in two they would not be found.
func (c *request) redactAndTruncate(text string) string {
	line := strings.Join(strings.Fields(c.redactor.redact(text)), " ")
	if len(line) > maxErrorText {
		line = strings.ToValidUTF8(line[:maxErrorText], "") + "…"
	}
	return line
}

func (c *request) warn(message string, args ...any) {
	args = append(args, "method", c.method, "metric", c.metric.Name)
	for i, arg := range args {
		args[i] = c.redactor.redact(fmt.Sprint(arg))
	}
	c.log.Warn(message, args...)
}

// digest knows a metric again without keeping its text.
func digest(metric *contractv1.Metric) [sha256.Size]byte {
	wire, _ := proto.Marshal(metric) // without maps it is the same each time
	return sha256.Sum256(wire)
}
