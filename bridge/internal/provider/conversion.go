package provider

import (
	"fmt"
	"strings"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	// pollAfter is when an unfinished measurement goes on if nobody said when.
	defaultResumeDelay = 5 * time.Second
	// maxWait bounds resume_at: a clock gone wrong must not park a measurement.
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

// projectMetric gives what the sidecar may see of a metric. The host does not tell under which name we are
// configured, so the block is the only one there is.
func projectMetric(metric v1alpha1.Metric) (*contractv1.Metric, error) {
	if len(metric.Provider.Plugin) != 1 {
		// The keys themselves are not repeated: a template may have put anything there.
		return nil, fmt.Errorf("BLOCK_INVALID provider.plugin: must have exactly one key, the plugin's name, and has %d",
			len(metric.Provider.Plugin))
	}
	projected := &contractv1.Metric{
		Name: metric.Name, SuccessCondition: metric.SuccessCondition, FailureCondition: metric.FailureCondition,
	}
	for _, block := range metric.Provider.Plugin {
		projected.Block = block
	}
	return projected, nil
}

// projectRun gives what the sidecar may see of an AnalysisRun: never its arguments.
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

func projectMeasurement(m v1alpha1.Measurement) *contractv1.Measurement {
	return &contractv1.Measurement{
		Phase:   contractv1.Phase(contractv1.Phase_value["PHASE_"+strings.ToUpper(string(m.Phase))]),
		Message: m.Message, Value: m.Value, Metadata: m.Metadata,
		StartedAt: toTimestamp(m.StartedAt), FinishedAt: toTimestamp(m.FinishedAt), ResumeAt: toTimestamp(m.ResumeAt),
	}
}

// measurement turns a reply into what Argo may store: a phase Argo knows, started, and either finished or with an
// instant to go on at. Argo resumes nothing that has both or neither. Returns what it had to mend.
func convertMeasurement(response *contractv1.Measurement, started, now time.Time) (m v1alpha1.Measurement, repaired []string) {
	phase, known := phases[response.GetPhase()]
	if !known {
		return errorMeasurement(started, now, fmt.Sprintf("PROVIDER_ERROR the sidecar answered with phase %s, which is none of Argo's;"+
			" install bridge and sidecar of one release", response.GetPhase())), nil
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
	case resume.Before(now): // it passed on the way
		resume = now
	}
	if response.GetFinishedAt() != nil {
		repaired = append(repaired, "finished_at")
	}
	m.ResumeAt = ceilSecond(resume)
	return m, repaired
}

// failed is a measurement that went wrong itself.
func errorMeasurement(started, now time.Time, message string) v1alpha1.Measurement {
	return v1alpha1.Measurement{
		Phase: v1alpha1.AnalysisPhaseError, Message: message,
		StartedAt: &metav1.Time{Time: started}, FinishedAt: &metav1.Time{Time: now},
	}
}

// wholeSecond rounds up: Argo stores whole seconds, and cut off it would lie in the past.
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
