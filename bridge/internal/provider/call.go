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
const maxSentence = 1024

// call is one call of Argo's. What it says and logs is without the secrets of its run; Argo redacts no plugin's log.
type call struct {
	*Plugin
	method  string
	run     *v1alpha1.AnalysisRun
	metric  v1alpha1.Metric
	before  v1alpha1.Measurement
	limit   int
	secrets secrets
}

// asking is a call of the sidecar, ready to be made.
type asking func(context.Context) (*contractv1.Measurement, error)

// prepared gives the sidecar's call of the same name, or the error that is its measurement. A refusal is kept for
// GetMetadata, which Argo asks for the same metric without its run, right after its first Run. The last run decides:
// whoever has the same text and no secret in it is answered as if nobody had been refused.
func (c *call) prepared() (asking, error) {
	var tooLarge error
	c.secrets, tooLarge = secretsOf(c.run)
	metric, err := projectMetric(c.metric)
	if err != nil {
		return nil, err
	}
	if err := c.secrets.inside(c.run, metric); err != nil {
		c.refused.Add(digest(metric), c.secrets.text(err.Error()))
		return nil, err
	}
	c.refused.Remove(digest(metric))
	if tooLarge != nil {
		return nil, tooLarge
	}
	client, run, before := c.sidecar.client, projectRun(c.run), projectMeasurement(c.before)
	return func(ctx context.Context) (*contractv1.Measurement, error) {
		switch c.method {
		case "Run":
			return client.Run(ctx, &contractv1.RunRequest{Run: run, Metric: metric})
		case "Resume":
			return client.Resume(ctx, &contractv1.ResumeRequest{Run: run, Metric: metric, Measurement: before})
		case "Terminate":
			return client.Terminate(ctx, &contractv1.TerminateRequest{Run: run, Metric: metric, Measurement: before})
		default:
			limit := int32(min(c.limit, 1<<30))
			_, err := client.GarbageCollect(ctx, &contractv1.GarbageCollectRequest{Run: run, Metric: metric, Limit: limit})
			return nil, err
		}
	}, nil
}

// recovered, deferred, logs a panic and hands on its sentence.
func (c *call) recovered(then func(sentence string)) {
	if bug := recover(); bug != nil {
		c.warn("panic", "panic", bug, "stack", string(debug.Stack()))
		then(fmt.Sprintf("BRIDGE_INTERNAL %s failed inside the bridge: %v; please report it with the controller's log", c.method, bug))
	}
}

// sentence is a foreign text as one line of bounded length. Secrets go first: cut in two they would not be found.
func (c *call) sentence(text string) string {
	line := strings.Join(strings.Fields(c.secrets.text(text)), " ")
	if len(line) > maxSentence {
		line = strings.ToValidUTF8(line[:maxSentence], "") + "…"
	}
	return line
}

func (c *call) warn(message string, args ...any) {
	args = append(args, "method", c.method, "metric", c.metric.Name)
	for i, arg := range args {
		args[i] = c.secrets.text(fmt.Sprint(arg))
	}
	c.log.Warn(message, args...)
}

// digest knows a metric again without keeping its text.
func digest(metric *contractv1.Metric) [sha256.Size]byte {
	wire, _ := proto.Marshal(metric) // without maps it is the same each time
	return sha256.Sum256(wire)
}
