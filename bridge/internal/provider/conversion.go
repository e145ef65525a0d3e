package provider

import (
	"fmt"
	"strings"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	// defaultResumeDelay is the time until an unfinished measurement resumes if the sidecar gave none.
	defaultResumeDelay = 5 * time.Second
	// maxResumeDelay is the maximum of resume_at: a wrong clock must not suspend a measurement for long.
	maxResumeDelay = time.Minute
)

var phases = map[contractv1.Phase]v1alpha1.AnalysisPhase{
	contractv1.Phase_PHASE_PENDING:      v1alpha1.AnalysisPhasePending,
	contractv1.Phase_PHASE_RUNNING:      v1alpha1.AnalysisPhaseRunning,
	contractv1.Phase_PHASE_SUCCESSFUL:   v1alpha1.AnalysisPhaseSuccessful,
	contractv1.Phase_PHASE_FAILED:       v1alpha1.AnalysisPhaseFailed,
	contractv1.Phase_PHASE_ERROR:        v1alpha1.AnalysisPhaseError,
	contractv1.Phase_PHASE_INCONCLUSIVE: v1alpha1.AnalysisPhaseInconclusive,
}

// maxMetricBytes is the maximum size of a metric. The sidecar accepts requests of 128 KiB and blocks of 32 KiB; it could not
// name the cause of a larger request.
const maxMetricBytes = 64 << 10

// projectMetric returns the part of a metric that the sidecar receives. A plugin does not know the name that it is
// configured under, so the block is the only one under provider.plugin.
func projectMetric(metric v1alpha1.Metric) (*contractv1.Metric, error) {
	if len(metric.Provider.Plugin) != 1 {
		// The message does not contain the keys: a template may have put a secret there.
		return nil, fmt.Errorf("BLOCK_INVALID provider.plugin: %d keys found, exactly one is allowed."+
			" Keep only the key with the plugin's name.", len(metric.Provider.Plugin))
	}
	projected := &contractv1.Metric{
		Name: metric.Name, SuccessCondition: metric.SuccessCondition, FailureCondition: metric.FailureCondition,
	}
	for _, block := range metric.Provider.Plugin {
		projected.Block = block
	}
	if size := proto.Size(projected); size > maxMetricBytes {
		return nil, fmt.Errorf("BLOCK_INVALID metric has %d bytes with its block and conditions; at most %d are allowed."+
			" Shorten the block under provider.plugin.", size, maxMetricBytes)
	}
	return projected, nil
}

// projectRun returns the part of an AnalysisRun that the sidecar receives. It never contains the arguments.
func projectRun(run *v1alpha1.AnalysisRun) *contractv1.Run {
	if run == nil {
		return nil
	}
	projected := &contractv1.Run{
		Namespace: run.Namespace, Name: run.Name, Uid: string(run.UID), Labels: run.Labels,
		CreatedAt: toTimestamp(&run.CreationTimestamp), StartedAt: toTimestamp(run.Status.StartedAt),
	}
	if owner := metav1.GetControllerOf(run); owner != nil {
		projected.Owner = &contractv1.Owner{Kind: owner.Kind, Name: owner.Name}
	}
	return projected
}

// projectMeasurement returns a stored measurement as the contract's message.
func projectMeasurement(m v1alpha1.Measurement) *contractv1.Measurement {
	return &contractv1.Measurement{
		Phase:   contractv1.Phase(contractv1.Phase_value["PHASE_"+strings.ToUpper(string(m.Phase))]),
		Message: m.Message, Value: m.Value, Metadata: m.Metadata,
		StartedAt: toTimestamp(m.StartedAt), FinishedAt: toTimestamp(m.FinishedAt), ResumeAt: toTimestamp(m.ResumeAt),
	}
}

// convertMeasurement returns a response as a measurement that Argo can process, and the names of the repaired fields. The
// measurement has a phase that Argo knows, a start, and either an end or a resume time: Argo never resumes a measurement
// with both or neither.
func convertMeasurement(response *contractv1.Measurement, started, now time.Time) (m v1alpha1.Measurement, repaired []string) {
	phase, known := phases[response.GetPhase()]
	if !known {
		return errorMeasurement(started, now, fmt.Sprintf("PROVIDER_ERROR sidecar returned phase %s, which Argo does not know."+
			" Install bridge and sidecar of one release.", response.GetPhase())), nil
	}
	m = v1alpha1.Measurement{Phase: phase, Message: response.GetMessage(), Value: response.GetValue(), Metadata: response.GetMetadata()}
	m.StartedAt = &metav1.Time{Time: started}
	if phase.Completed() {
		finished, ok := validTime(response.GetFinishedAt())
		if !ok || finished.Before(started) {
			finished, repaired = now, append(repaired, "finished_at")
		}
		m.FinishedAt = &metav1.Time{Time: finished}
		return m, repaired
	}
	resume, ok := validTime(response.GetResumeAt())
	switch {
	case !ok:
		resume, repaired = now.Add(defaultResumeDelay), append(repaired, "resume_at")
	case resume.After(now.Add(maxResumeDelay + time.Second)):
		resume, repaired = now.Add(maxResumeDelay), append(repaired, "resume_at")
	case resume.Before(now): // it passed during transmission
		resume = now
	}
	if response.GetFinishedAt() != nil {
		repaired = append(repaired, "finished_at")
	}
	m.ResumeAt = ceilSecond(resume)
	return m, repaired
}

// errorMeasurement returns a measurement that ended with phase Error.
func errorMeasurement(started, now time.Time, message string) v1alpha1.Measurement {
	return v1alpha1.Measurement{
		Phase: v1alpha1.AnalysisPhaseError, Message: message,
		StartedAt: &metav1.Time{Time: started}, FinishedAt: &metav1.Time{Time: now},
	}
}

// ceilSecond rounds up to a whole second: Argo stores whole seconds, and a truncated time would be in the past.
func ceilSecond(t time.Time) *metav1.Time {
	return &metav1.Time{Time: t.Add(time.Second - 1).Truncate(time.Second)}
}

func toTimestamp(t *metav1.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t.Time)
}

func validTime(t *timestamppb.Timestamp) (time.Time, bool) {
	return t.AsTime(), t != nil && t.IsValid()
}
