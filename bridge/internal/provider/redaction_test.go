package provider

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// runWithSecretArg returns a run whose argument "token" comes from a Secret. Its metric "m" has the templates given.
func runWithSecretArg(value, success, block string) *v1alpha1.AnalysisRun {
	ref := &v1alpha1.ValueFrom{SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "s", Key: "k"}}
	plain := "plain"
	return &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{
		Args: []v1alpha1.Argument{{Name: "token", Value: &value, ValueFrom: ref}, {Name: "host", Value: &plain}},
		Metrics: []v1alpha1.Metric{
			{Name: "other", SuccessCondition: "{{args.token}}"},
			{Name: "m", SuccessCondition: success, Provider: v1alpha1.MetricProvider{
				Plugin: map[string]json.RawMessage{"skywalking/metrics": json.RawMessage(block)},
			}},
		},
	}}
}

// redactorFor returns the redactor of a run with these secret arguments.
func redactorFor(t *testing.T, values ...string) redactor {
	t.Helper()
	run := &v1alpha1.AnalysisRun{}
	for i := range values {
		run.Spec.Args = append(run.Spec.Args, runWithSecretArg(values[i], "", "{}").Spec.Args[0])
	}
	r, err := newRedactor(run)
	require.NoError(t, err)
	return r
}

func TestRedactSecretInAnyEncodingIsReplaced(t *testing.T) {
	const secret = "p<a>&ss\"wörd\\\t 1\n"
	r := redactorFor(t, secret)
	quoted, err := json.Marshal(secret)
	require.NoError(t, err)
	for _, form := range []string{
		secret, strings.TrimSpace(secret), string(quoted), strconv.Quote(secret), strconv.QuoteToASCII(secret),
		fmt.Sprintf("%+q", secret), url.QueryEscape(secret), "x" + url.PathEscape(secret) + "y", strings.Join(strings.Fields(secret), " "),
	} {
		require.Contains(t, r.redact("before "+form+" after"), placeholder, form)
		require.NotContains(t, r.redact(form), "rd", form)
	}
}

func TestRedactMeasurementValueStaysValidJSON(t *testing.T) {
	r := redactorFor(t, "tok\"en-1", "12345678", "x\",\"y")
	for value, want := range map[string]string{
		`{"a":"x tok\"en-1 y","n":1e-7}`:  `{"a":"x ******** y","n":1e-7}`,
		`{"tok\"en-1":["12345678",true]}`: `{"********":["********",true]}`,
		`"{\"inner\":\"tok\\\"en-1\"}"`:   `"{\"inner\":\"********\"}"`,
		`not json tok"en-1`:               `not json ********`,
		`{"a":1} {"b":"12345678"}`:        `{"a":1} {"b":"********"}`,
		// a secret that is not inside one string replaces the whole value
		`[12345678,true]`: `"********"`,
		`{"x":"x","y":1}`: `"********"`,
		// a value without a secret is unchanged
		`{"b": 9900.0, "a":"<" , "n":0.98765432}`: `{"b": 9900.0, "a":"<" , "n":0.98765432}`,
		`9900`: `9900`,
		``:     ``,
	} {
		m := v1alpha1.Measurement{Value: value}
		r.redactMeasurement(&m)
		require.Equal(t, want, m.Value, value)
	}
}

func TestRedactMeasurementMessageAndMetadataAreRedacted(t *testing.T) {
	r := redactorFor(t, "token-one", "token-one-longer")
	m := v1alpha1.Measurement{Message: "a token-one b token-one-longer", Metadata: map[string]string{"token-one": "x token-one"}}
	r.redactMeasurement(&m)
	require.Equal(t, "a ******** b ********", m.Message)
	require.Equal(t, map[string]string{placeholder: "x ********"}, m.Metadata)
	m = v1alpha1.Measurement{Metadata: map[string]string{}}
	r.redactMeasurement(&m)
	require.Nil(t, m.Metadata, "Argo hides measurements that have metadata")
}

func TestRedactShortSecretIsKept(t *testing.T) {
	require.Equal(t, "a is ok", redactorFor(t, "a", "ok", "").redact("a is ok"))
}

func TestRedactPlainArgumentIsKept(t *testing.T) {
	r, err := newRedactor(runWithSecretArg("something-else", "", "{}"))
	require.NoError(t, err)
	require.Equal(t, "plain", r.redact("plain"))
	r, err = newRedactor(nil)
	require.NoError(t, err)
	require.Equal(t, "plain", r.redact("plain"))
}

func TestRejectSecretsTemplateUsesSecretArgumentReturnsError(t *testing.T) {
	resolved := &contractv1.Metric{Name: "m", Block: []byte(`{"query":"1"}`)}
	for _, row := range []struct {
		success, block string
		rejected       bool
	}{
		{"", `{"query":"{{args.token}}"}`, true},
		{"", `{"query":"a {{  args.token  }} b"}`, true},
		{"", `{"query":"{{ args.token }}"}`, true},
		{"", `{"deep":[{"{{args.token}}":1}]}`, true},
		{"result == '{{ args.token }}'", `{}`, true},
		{"", `{"query":"{{args.host}} args.token {{args.token2}}"}`, false},
		{"", `{}`, false},
	} {
		run := runWithSecretArg("1", row.success, row.block)
		r, err := newRedactor(run)
		require.NoError(t, err)
		require.Equal(t, row.rejected, r.rejectSecrets(run, resolved) != nil, row)
	}
}

func TestRejectSecretsTemplatedMetricNameIsResolved(t *testing.T) {
	for _, row := range []struct {
		name     string
		rejected bool
	}{
		{"m-plain", true},            // the metric's template uses the secret
		{"other", true},              // as above, in a metric of runWithSecretArg
		{"m", false},                 // the metric's template does not use the secret
		{"of-another-version", true}, // no metric has the name, and one of them uses the secret
	} {
		run := runWithSecretArg("1", "", "{}")
		run.Spec.Metrics = append(run.Spec.Metrics, v1alpha1.Metric{Name: "m-{{args.host}}", FailureCondition: "{{args.token}}"})
		r, err := newRedactor(run)
		require.NoError(t, err)
		require.Equal(t, row.rejected, r.rejectSecrets(run, &contractv1.Metric{Name: row.name}) != nil, row)
	}
	// A metric that uses the secret cannot take the name of a metric that does not.
	run := runWithSecretArg("1", "", "{}")
	run.Spec.Metrics = append(run.Spec.Metrics, v1alpha1.Metric{Name: "{{args.name}}", FailureCondition: "{{args.token}}"})
	name := "m"
	run.Spec.Args = append(run.Spec.Args, v1alpha1.Argument{Name: "name", Value: &name})
	r, err := newRedactor(run)
	require.NoError(t, err)
	require.Error(t, r.rejectSecrets(run, &contractv1.Metric{Name: "m"}))
}

func TestRejectSecretsBlockContainsValueReturnsError(t *testing.T) {
	run := &v1alpha1.AnalysisRun{}
	r := redactorFor(t, "long\"secret", "short12")
	for block, rejected := range map[string]bool{
		`{"query":"a long\"secret b"}`:   true,
		`{"a":["x",{"long\"secret":1}]}`: true,
		`broken { long"secret`:           true,
		`{"query":"short12"}`:            false, // short, so it may be an ordinary word
		`{"query":"long secret"}`:        false,
	} {
		require.Equal(t, rejected, r.rejectSecrets(run, &contractv1.Metric{Name: "m", Block: []byte(block)}) != nil, block)
	}
	require.Error(t, r.rejectSecrets(run, &contractv1.Metric{SuccessCondition: `result == 'long"secret'`}))
}

func TestNewRedactorTooManySecretsReturnsError(t *testing.T) {
	for name, row := range map[string]struct {
		count, size int
		same        bool
		rejected    bool
	}{
		"many":              {maxSecrets + 1, 10, false, true},
		"as many as can be": {maxSecrets, maxSecretBytes / maxSecrets, false, false},
		"long":              {1, maxSecretBytes + 1, false, true},
		"one, many times":   {10 * maxSecrets, maxSecretBytes, true, false},
	} {
		run := &v1alpha1.AnalysisRun{}
		for i := range row.count {
			value := strings.Repeat("x", row.size-4)
			if row.same {
				value += "0000"
			} else {
				value += fmt.Sprintf("%04d", i)
			}
			run.Spec.Args = append(run.Spec.Args, runWithSecretArg(value, "", "{}").Spec.Args[0])
		}
		_, err := newRedactor(run)
		require.Equal(t, row.rejected, err != nil, name)
		if row.rejected {
			require.ErrorContains(t, err, "SECRETS_TOO_LARGE spec.args: ")
			require.NotContains(t, err.Error(), "xxxx")
		}
	}
}
