package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
)

func TestNoDataWaitsThenFollowsOnNoData(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	const absent = `{"data":{"r":{"values":{"values":[{"value":0,"isEmptyValue":true},{"value":0,"isEmptyValue":true}]}}}}`
	const empty = `{"data":{"r":{"values":{"values":[]}}}}`
	for _, response := range []string{absent, empty} {
		s.scripted.setResponse(200, "application/json", response)
		trap := "all(result.r.values.values, {.value >= 0})" // true of an empty list
		m := p.Run(nil, scriptedMetric(trap, "", ""))
		require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase, m.Message)
		require.Contains(t, m.Message, "NO_DATA")
		require.WithinRange(t, m.ResumeAt.Time, time.Now(), time.Now().Add(time.Minute+time.Second))
		for policy, phase := range map[string]v1alpha1.AnalysisPhase{
			"": "Inconclusive", `, "onNoData": "error"`: "Error", `, "onNoData": "failed"`: "Failed",
			`, "onNoData": "successful"`: "Successful",
		} {
			m = p.Resume(nil, scriptedMetric(trap, "", policy), runningMeasurement(8*time.Minute))
			requireFinished(t, m, phase)
			require.Contains(t, m.Message, "NO_DATA")
		}
	}
	m := p.Run(nil, scriptedMetric("", "", `, "maxWait": "0"`))
	requireFinished(t, m, v1alpha1.AnalysisPhaseInconclusive)
}

func TestQueryInvalidReturnsErrorWithOAPMessage(t *testing.T) {
	s := installWithService(t)
	s.scripted.setResponse(200, "application/json",
		`{"data":null,"errors":[{"message":"Validation error: no such metric: m","locations":[{"line":1,"column":2}]},{"message":"second"}]}`)
	m := newProvider(t).Run(nil, scriptedMetric("true", "", ""))
	requireFinished(t, m, v1alpha1.AnalysisPhaseError)
	require.Contains(t, m.Message, "QUERY_INVALID")
	require.Contains(t, m.Message, "Validation error: no such metric: m")
	require.Contains(t, m.Message, "1 more")
	require.Empty(t, m.Value)
}

func TestOAPRejectionReturnsErrorWithStatusOnly(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	for _, status := range []int{401, 403, 404} {
		s.scripted.setResponse(status, "text/html", "<html>"+strings.Repeat("the page ", 1000)+"</html>")
		m := p.Run(nil, scriptedMetric("true", "", ""))
		requireFinished(t, m, v1alpha1.AnalysisPhaseError)
		require.Contains(t, m.Message, "OAP_REJECTED")
		require.Contains(t, m.Message, fmt.Sprint(status))
		require.NotContains(t, m.Message, "the page")
	}
}

func TestOAPUnavailableWaitsThenFollowsOnOutage(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	for name, text := range map[string]string{
		"server error":       `{"kind": "status", "status": 500}`,
		"proxy without OAP":  `{"kind": "status", "status": 503}`,
		"HTML page":          `{"kind": "html"}`,
		"connection reset":   `{"kind": "reset"}`,
		"truncated response": `{"kind": "truncated"}`,
		"no response":        `{"kind": "hang"}`,
		"storage down":       `{"kind": "storage-down", "seconds": 0.1}`,
	} {
		t.Run(name, func(t *testing.T) {
			injectFault(t, s.healthy, text)
			metric := referenceMetric(t, `"backend": "healthy"`)
			for range 2 { // an OAP without storage responds differently to the second request
				began := time.Now()
				m := p.Run(nil, metric)
				require.Less(t, time.Since(began), 15*time.Second, "ends before the bridge's deadline")
				require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase, m.Message)
				require.Contains(t, m.Message, "OAP_UNAVAILABLE")
				require.NotNil(t, m.ResumeAt)
			}
			m := p.Resume(nil, metric, runningMeasurement(6*time.Minute))
			requireFinished(t, m, v1alpha1.AnalysisPhaseInconclusive)
			m = p.Resume(nil, referenceMetric(t, `"backend": "healthy", "onOutage": "error"`), runningMeasurement(6*time.Minute))
			requireFinished(t, m, v1alpha1.AnalysisPhaseError)
			clearFaults(t, s.healthy)
			m = p.Resume(nil, metric, runningMeasurement(time.Minute))
			requireFinished(t, m, v1alpha1.AnalysisPhaseSuccessful)
		})
	}
	m := p.Run(nil, referenceMetric(t, `"backend": "absent"`))
	require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase, m.Message)
	require.Contains(t, m.Message, "OAP_UNAVAILABLE")
}

func TestBlockInvalidReturnsErrorWithKeyPath(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	for text, words := range map[string][]string{
		`{"backend":"scripted","interval":"2m"}`:                                   {"query"},
		`{"backend":"scripted","query":"{ a }"}`:                                   {"interval"},
		`{"backend":"scripted","interval":"2m","query":"{ a }","intervall":"1m"}`:  {"intervall", "interval"},
		`{"backend":"scripted","interval":["2m"],"query":"{ a }"}`:                 {"interval"},
		`{"backend":"scripted","interval":"90s","query":"{ a }"}`:                  {"interval", "whole minutes"},
		`{"backend":"scripted","interval":"2m","query":"{ a "}`:                    {"query"},
		`{"backend":"missing","interval":"2m","query":"{ a }"}`:                    {"BACKEND_NOT_FOUND", "missing"},
		`{"address":"http://elsewhere:12800","interval":"2m","query":"{ a }"}`:     {"BACKEND_NOT_FOUND", "elsewhere"},
		`{"interval":"2m","query":"{ a }"}`:                                        {"backend"},
		`{"backend":"scripted","interval":"2m","query":"{ a }","onNoData":"pass"}`: {"onNoData"},
		`{"backend":"scripted","interval":"2m","query":"{ a }","sli":"apdex"}`:     {"sli"},
		`["a list"]`: {"object"},
		`"a text"`:   {"object"},
		`null`:       {"object"},
	} {
		metric := metricWithBlock(text)
		m := p.Run(nil, metric)
		requireFinished(t, m, v1alpha1.AnalysisPhaseError)
		for _, word := range words {
			require.Contains(t, m.Message, word, text)
		}
		require.NotEmpty(t, p.GetMetadata(metric)["error"], text)
	}
	require.Empty(t, s.scripted.queries(), "no request is sent for an invalid block")
}

func TestBlockStringForNumberIsAccepted(t *testing.T) {
	s := installWithService(t)
	s.scripted.setResponse(200, "application/json", twoBucketResponse)
	m := newProvider(t).Run(nil, scriptedMetric("true", "", `, "maxWait": "0", "settle": "60s"`))
	requireFinished(t, m, v1alpha1.AnalysisPhaseSuccessful)
}

func TestGetMetadataDescribesMetric(t *testing.T) {
	installWithService(t)
	metadata := newProvider(t).GetMetadata(referenceMetric(t, `"address": "http://oap.istio-system:12800"`))
	require.Contains(t, metadata["ResolvedSkyWalkingQuery"], "canary|reviews|bookinfo|cluster-1|-")
	require.Equal(t, "healthy", metadata["backend"])
	require.Equal(t, "3m", metadata["window"])
	require.Empty(t, metadata["error"])
}

func TestArgumentIsSentUnchangedOrRejected(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	for value, accepted := range map[string]bool{
		"canary|réviews <b> & Ünïcode 测试 {{x}}": true,
		`with "quotes"`: false, // they would end the string around the argument
		"two\nlines":    false,
	} {
		s.scripted.setResponse(200, "application/json", `{"data":{"service_apdex":{"label":null,"values":{"values":[{"value":1}]}}}}`)
		query, err := json.Marshal(referenceQuery)
		require.NoError(t, err)
		metric := metricWithBlock(`{"backend":"scripted","interval":"1m","query":` + string(query) + `}`)
		run := &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{
			Args: []v1alpha1.Argument{plainArg("service-name", value)}, Metrics: []v1alpha1.Metric{metric},
		}}
		m := p.Run(run, resolveMetric(t, run))
		if !accepted {
			requireFinished(t, m, v1alpha1.AnalysisPhaseError)
			require.Contains(t, m.Message, "query")
			require.Empty(t, s.scripted.queries())
			continue
		}
		require.NotEqual(t, v1alpha1.AnalysisPhaseError, m.Phase, m.Message)
		var sent struct{ Query string }
		require.NoError(t, json.Unmarshal([]byte(s.scripted.queries()[0]), &sent))
		require.Contains(t, sent.Query, value)
	}
}

func TestLargeValueIsShortened(t *testing.T) {
	s := installWithService(t)
	var values []string
	for i := range 5000 {
		values = append(values, fmt.Sprintf(`{"value":%d,"isEmptyValue":false}`, i))
	}
	s.scripted.setResponse(200, "application/json", `{"data":{"r":{"values":{"values":[`+strings.Join(values, ",")+`]}}}}`)
	m := newProvider(t).Run(nil, scriptedMetric("len(result.r.values.values) == 5000", "", ""))
	requireFinished(t, m, v1alpha1.AnalysisPhaseSuccessful)
	require.LessOrEqual(t, len(m.Value), maxValue)
	require.True(t, json.Valid([]byte(m.Value)), m.Value)
	require.Contains(t, m.Value, "omitted")

	s.scripted.setHandler(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"data":{"r":"` + strings.Repeat("x", 8<<20) + `"}}`))
	})
	m = newProvider(t).Run(nil, scriptedMetric("true", "", ""))
	requireFinished(t, m, v1alpha1.AnalysisPhaseError)
	require.Contains(t, m.Message, "OAP_RESPONSE_INVALID")
	require.Less(t, len(m.Message), 2000)
}

func TestWindowIsClosedBucketsInOAPTimeZone(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	for _, zone := range []string{"+0000", "+0800", "-0330", "+0545"} {
		s.scripted.setResponse(200, "application/json", twoBucketResponse)
		s.scripted.setZone(zone)
		time.Sleep(5 * time.Millisecond) // the service's copy of the OAP's clock expires (clockTtl)
		before := time.Now()
		m := p.Run(nil, scriptedMetric("true", "", ""))
		after := time.Now()
		requireFinished(t, m, v1alpha1.AnalysisPhaseSuccessful)
		require.Equal(t, zone, requireWindowInZone(t, s, zone, before, after))
	}
}

// requireWindowInZone requires that the last request's window is the two minutes that were closed a minute ago, in that
// time zone.
func requireWindowInZone(t *testing.T, s *services, zone string, before, after time.Time) string {
	t.Helper()
	queries := s.scripted.queries()
	var sent struct {
		Variables struct {
			Duration struct{ Start, End, Step string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(queries[len(queries)-1]), &sent))
	offset, err := time.Parse("-0700", zone)
	require.NoError(t, err)
	windows := []string{}
	for _, now := range []time.Time{before, after} { // a minute may end during the call
		last := now.Add(-time.Minute).In(offset.Location()).Truncate(time.Minute).Add(-time.Minute)
		windows = append(windows, last.Add(-time.Minute).Format("2006-01-02 1504")+" "+last.Format("2006-01-02 1504")+" MINUTE")
	}
	require.Contains(t, windows, sent.Variables.Duration.Start+" "+sent.Variables.Duration.End+" "+sent.Variables.Duration.Step)
	return zone
}

func TestCredentialsAreSentOnlyToTheirBackend(t *testing.T) {
	s := installWithService(t)
	p := newProvider(t)
	const secret = "an-arguments-s3cret"
	run := &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{Args: []v1alpha1.Argument{secretArg("token", secret)}}}
	echo := func(status int, contentType, format string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			fmt.Fprintf(w, format, r.Header.Get("Authorization"))
		}
	}
	var output []any
	for _, respond := range []http.HandlerFunc{
		echo(401, "text/plain", "not with %s"), echo(403, "text/html", "<b>%s</b>"), echo(500, "application/json", "%q"),
		echo(200, "text/html", "<b>%s</b>"), echo(200, "application/json", `{"data":`),
	} {
		s.scripted.setHandler(respond)
		for _, metric := range []v1alpha1.Metric{scriptedMetric("true", "", ""), scriptedMetric("{{", "", ""), metricWithBlock(`{"query":"{{args.token}}"}`)} {
			run.Spec.Metrics = []v1alpha1.Metric{metric}
			m := p.Run(run, metric)
			output = append(output, m, p.Resume(run, metric, runningMeasurement(10*time.Minute)), p.GetMetadata(metric))
		}
	}
	require.Equal(t, "Bearer "+s.token, s.scripted.headers[0].Get("Authorization"))
	for _, item := range output {
		text, err := json.Marshal(item)
		require.NoError(t, err)
		require.NotContains(t, string(text), s.token)
		require.NotContains(t, string(text), secret)
	}
	for _, text := range []string{controllerLog.String(), s.log.String()} {
		require.NotContains(t, text, s.token)
		require.NotContains(t, text, secret)
	}
}
