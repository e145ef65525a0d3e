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

// withSecret is a run whose argument "token" comes from a Secret, and whose metric "m" is the template given.
func withSecret(value, success, block string) *v1alpha1.AnalysisRun {
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

func remembering(values ...string) *secrets {
	s := newSecrets()
	for _, value := range values {
		s.remember(withSecret(value, "", "{}"))
	}
	return s
}

func TestASecretIsMaskedInEveryFormAProgramPrints(t *testing.T) {
	const secret = "p<a>&ss\"wörd\\\t 1\n"
	s := remembering(secret)
	quoted, err := json.Marshal(secret)
	require.NoError(t, err)
	for _, form := range []string{
		secret, strings.TrimSpace(secret), string(quoted), strconv.Quote(secret), strconv.QuoteToASCII(secret),
		fmt.Sprintf("%+q", secret), url.QueryEscape(secret), "x" + url.PathEscape(secret) + "y", strings.Join(strings.Fields(secret), " "),
	} {
		require.Contains(t, s.text("before "+form+" after"), mask, form)
		require.NotContains(t, s.text(form), "rd", form)
	}
}

func TestAValueStaysValidJSONWithoutTheSecret(t *testing.T) {
	s := remembering("tok\"en-1", "12345678")
	for value, want := range map[string]string{
		`{"a":"x tok\"en-1 y","n":1e-7}`: `{"a":"x ******** y","n":1e-7}`,
		`{"tok\"en-1":[12345678,true]}`:  `{"********":["********",true]}`,
		`"tok\u0022en-1"`:                `"********"`,
		`"{\"inner\":\"tok\\\"en-1\"}"`:  `"{\"inner\":\"********\"}"`,
		`not json tok"en-1`:              `not json ********`,
		`{"a":1} {"b":"12345678"}`:       `{"a":1} {"b":"********"}`,
		// byte for byte where there is nothing to clean
		`{"b": 9900.0, "a":"<" , "n":0.123456789}`: `{"b": 9900.0, "a":"<" , "n":0.123456789}`,
		`9900`: `9900`,
		``:     ``,
	} {
		m := v1alpha1.Measurement{Value: value}
		s.clean(&m)
		require.Equal(t, want, m.Value, value)
	}
}

func TestMessageAndMetadataAreCleanedToo(t *testing.T) {
	s := remembering("token-one", "token-one-longer")
	m := v1alpha1.Measurement{Message: "a token-one-longer b token-one", Metadata: map[string]string{"token-one": "x token-one"}}
	s.clean(&m)
	require.Equal(t, "a ******** b ********", m.Message)
	require.Equal(t, map[string]string{mask: "x ********"}, m.Metadata)
	m = v1alpha1.Measurement{Metadata: map[string]string{}}
	s.clean(&m)
	require.Nil(t, m.Metadata, "Argo hides measurements that have any metadata")
}

func TestAWordTooShortToBeASecretIsLeftAlone(t *testing.T) {
	s := remembering("a", "ok", "")
	require.Equal(t, "a is ok", s.text("a is ok"))
}

func TestTheMemoryIsBoundedAndForgetsTheLeastRecentlySeen(t *testing.T) {
	s := newSecrets()
	for i := range maxSecrets {
		s.values, _ = refresh(s.values, fmt.Sprintf("secret-%05d", i))
	}
	s.remember(withSecret("secret-00000", "", "{}"))
	s.remember(withSecret("the-newest", "", "{}"))
	require.Len(t, s.values, maxSecrets)
	require.Equal(t, "******** ******** secret-00001 ********", s.text("the-newest secret-00000 secret-00001 secret-00002"))
}

func TestABlockThatNamesASecretArgumentIsRefusedHoweverShortTheSecret(t *testing.T) {
	resolved := &contractv1.Metric{Name: "m", Block: []byte(`{"query":"1"}`)}
	for _, row := range []struct {
		success, block string
		refused        bool
	}{
		{"", `{"query":"{{args.token}}"}`, true},
		{"", `{"query":"a {{  args.token  }} b"}`, true},
		{"", `{"deep":[{"{{args.token}}":1}]}`, true},
		{"result == '{{ args.token }}'", `{}`, true},
		{"", `{"query":"{{args.host}} args.token {{args.token2}}"}`, false},
		{"", `{}`, false},
	} {
		s := newSecrets()
		run := withSecret("1", row.success, row.block)
		s.remember(run)
		require.Equal(t, row.refused, s.inBlock(run, resolved) != "", row)
		// Argo asks for the metadata of the same metric without its run.
		require.Equal(t, row.refused, s.inBlock(nil, resolved) != "", row)
	}
}

func TestAMetricWhoseNameWasTemplatedIsCheckedAgainstAllMetrics(t *testing.T) {
	s := newSecrets()
	run := withSecret("1", "", "{}")
	require.NotEmpty(t, s.inBlock(run, &contractv1.Metric{Name: "m-plain"}), "the metric other names the secret")
}

func TestABlockThatHoldsARememberedValueIsRefused(t *testing.T) {
	s := remembering("long\"secret", "short12")
	for block, refused := range map[string]bool{
		`{"query":"a long\"secret b"}`:     true,
		`{"query":"a long\u0022secret b"}`: true,
		`{"a":["x",{"long\"secret":1}]}`:   true,
		`broken { long"secret`:             true,
		`{"query":"short12"}`:              false, // may well be an ordinary word
		`{"query":"long secret"}`:          false,
	} {
		require.Equal(t, refused, s.inBlock(nil, &contractv1.Metric{Name: "m", Block: []byte(block)}) != "", block)
	}
	require.NotEmpty(t, s.inBlock(nil, &contractv1.Metric{SuccessCondition: `result == 'long"secret'`}))
}

func TestAnOrdinaryArgumentIsNoSecret(t *testing.T) {
	s := newSecrets()
	s.remember(withSecret("something-else", "", "{}"))
	s.remember(nil)
	require.Equal(t, "plain", s.text("plain"))
}
