package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/argoproj/argo-rollouts/metricproviders/skywalking"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	log "github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
)

// referenceQuery is the query of Argo's documentation.
const referenceQuery = `query queryData($duration: Duration!) {
  service_apdex: readMetricsValues(
    condition: { name: "service_apdex", entity: { scope: Service, serviceName: "{{ args.service-name }}", normal: true } },
    duration: $duration) { label values { values { value } } } }`

// referenceMetric returns the metric of Argo's documentation with a backend or an address, its arguments resolved by Argo.
func referenceMetric(t *testing.T, where string) v1alpha1.Metric {
	t.Helper()
	query, err := json.Marshal(referenceQuery)
	require.NoError(t, err)
	metric := metricWithBlock(fmt.Sprintf(`{%s, "interval": "3m", "query": %s}`, where, query))
	metric.SuccessCondition = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"
	run := &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{
		Args:    []v1alpha1.Argument{plainArg("service-name", "canary|reviews|bookinfo|cluster-1|-")},
		Metrics: []v1alpha1.Metric{metric},
	}}
	return resolveMetric(t, run)
}

// scriptedMetric returns a metric of the scripted OAP with these conditions and more keys in its block.
func scriptedMetric(success, failure, more string) v1alpha1.Metric {
	metric := metricWithBlock(`{"backend": "scripted", "interval": "2m", "query": "query q($duration: Duration!) { r: readMetricsValues(` +
		`condition: {name: \"m\"}, duration: $duration) { values { values { value isEmptyValue } } } }"` + more + `}`)
	metric.SuccessCondition, metric.FailureCondition = success, failure
	return metric
}

// maxValue is the maximum length of a value. With compatibility: argo it is unlimited, as with the built-in provider.
const maxValue = 32 * 1024

// twoBucketResponse is an OAP's response to the query of scriptedMetric.
const twoBucketResponse = `{"data":{"r":{"values":{"values":[{"value":9950,"isEmptyValue":false},{"value":9900,"isEmptyValue":false}]}}}}`

func TestReferenceCanaryPassesOnGoodDataAndFailsOnBadData(t *testing.T) {
	installWithService(t)
	p := newProvider(t)
	m := p.Run(nil, referenceMetric(t, `"address": "http://oap.istio-system:12800"`))
	requireFinished(t, m, v1alpha1.AnalysisPhaseSuccessful)
	require.Empty(t, m.Message)
	require.Nil(t, m.Metadata, "Argo hides finished measurements that have metadata")
	require.Regexp(t, `^\{"service_apdex":\{"label":null,"values":\{"values":\[(\{"value":\d+\},?){3}\]\}\}\}$`, m.Value)
	m = p.Run(nil, referenceMetric(t, `"backend": "failing"`))
	requireFinished(t, m, v1alpha1.AnalysisPhaseFailed)
	require.Contains(t, m.Message, "CONDITION_NOT_MET")
}

func TestConditionsDecideByArgosMatrix(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	const good, bad = "result.r.values.values[0].value > 1", "result.r.values.values[0].value > 9999"
	for name, row := range map[string]struct {
		success, failure string
		phase            v1alpha1.AnalysisPhase
	}{
		"success alone, met":     {good, "", v1alpha1.AnalysisPhaseSuccessful},
		"success alone, not met": {bad, "", v1alpha1.AnalysisPhaseFailed},
		"failure alone, met":     {"", good, v1alpha1.AnalysisPhaseFailed},
		"failure alone, not met": {"", bad, v1alpha1.AnalysisPhaseSuccessful},
		"both met":               {good, good, v1alpha1.AnalysisPhaseFailed},
		"only success met":       {good, bad, v1alpha1.AnalysisPhaseSuccessful},
		"only failure met":       {bad, good, v1alpha1.AnalysisPhaseFailed},
		"neither met":            {bad, bad, v1alpha1.AnalysisPhaseInconclusive},
		"no condition":           {"", "", v1alpha1.AnalysisPhaseSuccessful},
	} {
		t.Run(name, func(t *testing.T) {
			s.scripted.setResponse(200, "application/json", twoBucketResponse)
			m := p.Run(nil, scriptedMetric(row.success, row.failure, ""))
			requireFinished(t, m, row.phase)
			require.Equal(t, `{"r":{"values":{"values":[{"isEmptyValue":false,"value":9950},{"isEmptyValue":false,"value":9900}]}}}`, m.Value)
		})
	}
}

func TestConditionErrorHasArgosMessage(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	s.scripted.setResponse(200, "application/json", twoBucketResponse)
	for condition, message := range map[string]string{
		"result.r >":       "unexpected token EOF",
		"9950.5":           "expected bool, but got float64",
		"size(result) > 0": "unknown name size",
	} {
		m := p.Run(nil, scriptedMetric(condition, "", ""))
		requireFinished(t, m, v1alpha1.AnalysisPhaseError)
		require.Contains(t, m.Message, fmt.Sprintf(`failed to run via plugin: could not evaluate successCondition "%s": %s`, condition, message))
		require.Empty(t, m.Value)
	}
}

func TestOracleObjectsGetArgosVerdict(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	text, err := os.ReadFile(filepath.Join(repository, "tests", "conditions", "data", "eval-oracle-v1.10.0.json"))
	require.NoError(t, err)
	var rows []struct {
		Result           json.RawMessage
		SuccessCondition string
		FailureCondition string
		Phase            v1alpha1.AnalysisPhase
		Error            string
		GoJSONValue      string
	}
	require.NoError(t, json.Unmarshal(text, &rows))
	compared := 0
	for _, row := range rows {
		if !strings.HasPrefix(string(row.Result), "{") { // GraphQL's data is an object or null
			continue
		}
		compared++
		s.scripted.setResponse(200, "application/json", `{"data":`+string(row.Result)+`}`)
		m := p.Run(nil, scriptedMetric(row.SuccessCondition, row.FailureCondition, `, "compatibility": "argo"`))
		requireFinished(t, m, row.Phase)
		if row.Phase == v1alpha1.AnalysisPhaseError {
			require.Equal(t, "failed to run via plugin: "+row.Error, m.Message)
		} else {
			require.Equal(t, row.GoJSONValue, m.Value)
		}
	}
	require.Greater(t, compared, 15)
}

// TestRecordedResponsesGetVerdictOfBuiltInProvider gives both providers the recorded responses of a real OAP.
func TestRecordedResponsesGetVerdictOfBuiltInProvider(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	files, err := filepath.Glob(filepath.Join(repository, "tests", "captures", "*", "v2-*.json"))
	require.NoError(t, err)
	compared := 0
	for _, file := range files {
		response, err := os.ReadFile(file)
		require.NoError(t, err)
		var parts struct{ Data, Errors json.RawMessage }
		if strings.HasSuffix(file, ".request.json") || json.Unmarshal(response, &parts) != nil {
			continue
		}
		for _, conditions := range [][2]string{
			{"all(result.r.values.values, {asFloat(.value) >= 9000})", ""},
			{"", "any(result.r.values.values, {.value > 0})"},
			{"len(result.r.values.values) > 3", "result.r.label != nil"},
			{"", ""},
		} {
			pluginMetric := scriptedMetric(conditions[0], conditions[1], `, "compatibility": "argo"`)
			builtIn := runBuiltIn(t, pluginMetric, response)
			s.scripted.setResponse(200, "application/json", string(response))
			m := p.Run(nil, pluginMetric)
			if m.Phase == v1alpha1.AnalysisPhaseRunning && builtIn.Phase == v1alpha1.AnalysisPhaseError {
				require.Contains(t, m.Message, "OAP_UNAVAILABLE", "%s: where the built-in provider returns Error, this one waits", file)
				continue
			}
			name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
			require.Equal(t, builtIn.Phase, m.Phase, "%s %v: %s / %s", name, conditions, builtIn.Message, m.Message)
			require.True(t, builtIn.Value == m.Value, "%s: %.200s / %.200s", name, builtIn.Value, m.Value)
			compared++
		}
	}
	require.Greater(t, compared, 100)
	t.Logf("compared %d verdicts", compared)
}

// runBuiltIn returns the measurement of Argo's own provider.skywalking with the same metric and the same response.
func runBuiltIn(t *testing.T, metric v1alpha1.Metric, response []byte) v1alpha1.Measurement {
	t.Helper()
	oap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(response) }))
	defer oap.Close()
	var keys struct{ Query, Interval string }
	require.NoError(t, json.Unmarshal(metric.Provider.Plugin[pluginName], &keys))
	metric.Provider = v1alpha1.MetricProvider{SkyWalking: &v1alpha1.SkyWalkingMetric{
		Address: oap.URL, Query: keys.Query, Interval: v1alpha1.DurationString(keys.Interval),
	}}
	client, err := skywalking.NewSkyWalkingClient(metric, nil)
	require.NoError(t, err)
	return skywalking.NewSkyWalkingProvider(client, *log.NewEntry(log.StandardLogger())).Run(nil, metric)
}
