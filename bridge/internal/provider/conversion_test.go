package provider

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

var noon = time.Date(2026, 8, 17, 12, 0, 0, 0, time.UTC)

func at(seconds float64) *timestamppb.Timestamp {
	return timestamppb.New(noon.Add(time.Duration(seconds * float64(time.Second))))
}

func TestConvertMeasurementIsFinishedOrHasResumeTime(t *testing.T) {
	const running, good = contractv1.Phase_PHASE_RUNNING, contractv1.Phase_PHASE_SUCCESSFUL
	garbage := &timestamppb.Timestamp{Seconds: 1 << 60}
	for _, row := range []struct {
		name             string
		response         *contractv1.Measurement
		phase            v1alpha1.AnalysisPhase
		resume, finished float64 // seconds after noon; below 0: absent
		repaired         []string
	}{
		{"finished", &contractv1.Measurement{Phase: good, FinishedAt: at(1)}, "Successful", -1, 1, nil},
		{"finished without a time", &contractv1.Measurement{Phase: good}, "Successful", -1, 2, []string{"finished_at"}},
		{"finished before its start", &contractv1.Measurement{Phase: good, FinishedAt: at(-9)}, "Successful", -1, 2, []string{"finished_at"}},
		{"finished at an invalid time", &contractv1.Measurement{Phase: good, FinishedAt: garbage}, "Successful", -1, 2, []string{"finished_at"}},
		{"finished and to be resumed", &contractv1.Measurement{Phase: good, FinishedAt: at(1), ResumeAt: at(9)}, "Successful", -1, 1, nil},
		{"running", &contractv1.Measurement{Phase: running, ResumeAt: at(10)}, "Running", 10, -1, nil},
		{"resumed at a fraction of a second", &contractv1.Measurement{Phase: running, ResumeAt: at(10.001)}, "Running", 11, -1, nil},
		{"resumed in the past", &contractv1.Measurement{Phase: running, ResumeAt: at(-5)}, "Running", 2, -1, nil},
		{"running without a resume time", &contractv1.Measurement{Phase: running}, "Running", 7, -1, []string{"resume_at"}},
		{"resumed at an invalid time", &contractv1.Measurement{Phase: running, ResumeAt: garbage}, "Running", 7, -1, []string{"resume_at"}},
		{"resumed next year", &contractv1.Measurement{Phase: running, ResumeAt: at(3e7)}, "Running", 62, -1, []string{"resume_at"}},
		{"running and finished", &contractv1.Measurement{Phase: running, ResumeAt: at(10), FinishedAt: at(1)}, "Running", 10, -1, []string{"finished_at"}},
		{"pending", &contractv1.Measurement{Phase: contractv1.Phase_PHASE_PENDING, ResumeAt: at(10)}, "Pending", 10, -1, nil},
		{"no phase", &contractv1.Measurement{}, "Error", -1, 2, nil},
		{"an unknown phase", &contractv1.Measurement{Phase: 42, ResumeAt: at(10)}, "Error", -1, 2, nil},
		{"no response", nil, "Error", -1, 2, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, repaired := convertMeasurement(row.response, noon, noon.Add(2*time.Second))
			require.Equal(t, row.phase, m.Phase)
			require.Equal(t, noon, m.StartedAt.Time)
			require.Equal(t, row.repaired, repaired)
			requireTime := func(seconds float64, got *metav1.Time) {
				if seconds < 0 {
					require.Nil(t, got)
				} else {
					require.Equal(t, at(seconds).AsTime(), got.UTC())
				}
			}
			requireTime(row.resume, m.ResumeAt)
			requireTime(row.finished, m.FinishedAt)
			if row.phase == "Error" {
				require.Contains(t, m.Message, "PROVIDER_ERROR")
			}
		})
	}
}

func TestConvertMeasurementEveryPhaseRoundTrips(t *testing.T) {
	for _, phase := range phases {
		m, _ := convertMeasurement(projectMeasurement(v1alpha1.Measurement{Phase: phase}), noon, noon)
		require.Equal(t, phase, m.Phase)
	}
}

func TestProjectRunOmitsArguments(t *testing.T) {
	secret := "s3cr3t-token"
	yes := true
	run := &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "reviews-1", UID: "u-1", Labels: map[string]string{"rollout-type": "Background"},
			Annotations:       map[string]string{"note": secret},
			CreationTimestamp: metav1.NewTime(noon),
			OwnerReferences:   []metav1.OwnerReference{{Kind: "Rollout", Name: "reviews", Controller: &yes}},
		},
		Spec: v1alpha1.AnalysisRunSpec{Args: []v1alpha1.Argument{{Name: "token", Value: &secret}}},
	}
	sent := projectRun(run)
	require.Equal(t, "shop/reviews-1 u-1 Rollout/reviews Background", sent.GetNamespace()+"/"+sent.GetName()+" "+sent.GetUid()+
		" "+sent.GetOwner().GetKind()+"/"+sent.GetOwner().GetName()+" "+sent.GetLabels()["rollout-type"])
	require.Equal(t, noon, sent.GetCreatedAt().AsTime())
	require.Nil(t, sent.GetStartedAt())
	text, err := protojson.Marshal(sent)
	require.NoError(t, err)
	require.NotContains(t, string(text), secret)
	require.Nil(t, projectRun(nil))
}

func TestProjectMetricRequiresExactlyOneKey(t *testing.T) {
	block := json.RawMessage(`{"query": "q",  "n": 2.50}`)
	plugin := func(blocks map[string]json.RawMessage) v1alpha1.Metric {
		return v1alpha1.Metric{Name: "m", SuccessCondition: "true", Provider: v1alpha1.MetricProvider{Plugin: blocks}}
	}
	sent, err := projectMetric(plugin(map[string]json.RawMessage{"any/name": block}))
	require.NoError(t, err)
	require.Equal(t, string(block), string(sent.GetBlock()))
	_, err = projectMetric(plugin(nil))
	require.ErrorContains(t, err, "BLOCK_INVALID provider.plugin: 0 keys found, exactly one is allowed")
	_, err = projectMetric(plugin(map[string]json.RawMessage{"b/b": block, "a/a": block}))
	require.ErrorContains(t, err, "2 keys found")
	require.NotContains(t, err.Error(), "a/a", "a template may have put a secret there")
}
