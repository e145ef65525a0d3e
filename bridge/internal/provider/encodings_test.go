package provider

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

func TestEncodingsAreThoseOfService(t *testing.T) {
	service, err := os.ReadFile("../../../skywalking_provider/support/redaction_encodings.json")
	require.NoError(t, err)
	require.Equal(t, string(service), string(encodingsJSON))
}

func TestRedactCoveredEncodingsAreReplaced(t *testing.T) {
	for _, covered := range encodings.Covered {
		for _, example := range covered.Examples {
			r := redactorFor(t, example.Secret)
			require.Equal(t, "before ******** after", r.redact("before "+example.Text+" after"), covered.Title)
		}
	}
}

func TestRedactEncodingsNotCoveredAreKept(t *testing.T) {
	for _, limit := range encodings.NotCovered {
		for _, example := range limit.Examples {
			require.Equal(t, example.Text, redactorFor(t, example.Secret).redact(example.Text), limit.Title)
		}
	}
}

func TestRedactNestedEncoders(t *testing.T) {
	inJSON := func(text string) string {
		out, err := json.Marshal(text)
		require.NoError(t, err)
		return string(out)
	}
	encoders := map[string]func(string) string{
		"json": inJSON, "quote": strconv.Quote, "ascii": strconv.QuoteToASCII, "query": url.QueryEscape, "path": url.PathEscape,
		"html": html.EscapeString, "lower": func(text string) string { return lowerPercent(url.QueryEscape(text)) },
		"base64":  func(text string) string { return base64.StdEncoding.EncodeToString([]byte("Bearer " + text)) },
		"base64u": func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte("u:" + text + "!")) },
	}
	for _, secret := range []string{"pl4nted&<\"Pass\">\\wörd/+ 7%\u2028😀", "C:\\token%41\\n&amp;é", "-----BEGIN KEY-----\nMIIEv+/=\n-----END KEY-----\n"} {
		r := redactorFor(t, secret)
		for outerName, outer := range encoders {
			for innerName, inner := range encoders {
				if strings.HasPrefix(outerName, "base64") {
					continue // base64 around another encoding is not covered
				}
				text := outer(inner(secret))
				redacted := r.redact("a " + text + " b")
				require.Contains(t, redacted, placeholder, "%s in %s: %s", innerName, outerName, text)
				require.Less(t, len(redacted), len(placeholder)+20, "%s in %s: %s", innerName, outerName, redacted)
			}
		}
	}
}

func TestRejectSecretsBlockContainsEncodedValueReturnsError(t *testing.T) {
	const secret = "long&\"secret/7"
	r := redactorFor(t, secret)
	run := runWithSecretArg("1", "", "{}")
	run.Spec.Args = nil
	for _, text := range []string{
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte("Bearer " + secret)),
		html.EscapeString(secret), "long&#38;&quot;secret/7", lowerPercent(url.QueryEscape(secret)), url.PathEscape(secret),
	} {
		block, err := json.Marshal(map[string]string{"query": "a " + text + " b"})
		require.NoError(t, err)
		require.Error(t, r.rejectSecrets(run, metricOf(block)), text)
	}
	require.NoError(t, r.rejectSecrets(run, metricOf([]byte(`{"a":"long&\"se","b":"cret/7"}`))), "a secret in two keys is a documented limit")
}

func lowerPercent(text string) string {
	return strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3C", "%3c", "%3E", "%3e", "%5C", "%5c", "%C3", "%c3", "%0A", "%0a").Replace(text)
}

func metricOf(block []byte) *contractv1.Metric { return &contractv1.Metric{Name: "m", Block: block} }
