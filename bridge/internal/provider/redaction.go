package provider

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	templateutil "github.com/argoproj/argo-rollouts/utils/template"
	"github.com/valyala/fasttemplate"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	placeholder = "********"
	// minRedactedLength is the minimum length of a redacted value: shorter values would replace ordinary words. A short
	// secret is still safe: a block that uses a secret argument is rejected whatever the value's length.
	minRedactedLength = 4
	// minRejectedLength is the minimum length of a value whose occurrence in a block counts as use of the secret.
	minRejectedLength = 8
	// maxSecrets and maxSecretBytes bound the work of one call. Beyond them the sidecar is not called: partial redaction
	// would disclose part of a secret.
	maxSecrets, maxSecretBytes = 64, 64 << 10
)

// redactor replaces the secret arguments of one run. Argo writes their values into the run and the block. It redacts its own
// log and the message of a measurement, but neither the value nor the metadata. A redactor exists for one call only, so that
// the secrets of one run have no effect on another.
type redactor struct {
	templateTags map[string]string // template tag of a secret argument → the argument's name
	encodings    []string          // every encoding in which a program may print the values, longest first
}

// newRedactor returns the redactor for the secret arguments of a run, and an error if they exceed the limits.
func newRedactor(run *v1alpha1.AnalysisRun) (r redactor, err error) {
	if run == nil {
		return r, nil
	}
	r.templateTags = map[string]string{}
	values, size := map[string]bool{}, 0
	for _, arg := range run.Spec.Args {
		if arg.ValueFrom == nil || arg.ValueFrom.SecretKeyRef == nil {
			continue
		}
		r.templateTags["args."+arg.Name] = arg.Name
		if arg.Value != nil && !values[*arg.Value] {
			values[*arg.Value], size = true, size+len(*arg.Value)
		}
	}
	if len(values) > maxSecrets || size > maxSecretBytes {
		return r, fmt.Errorf("SECRETS_TOO_LARGE spec.args: %d values of %d bytes come from Secrets, the limit is %d values of"+
			" %d bytes. Pass only the secret arguments that this analysis needs.", len(values), size, maxSecrets, maxSecretBytes)
	}
	for value := range values {
		for _, text := range []string{value, strings.TrimSpace(value), strings.Join(strings.Fields(value), " ")} {
			if len(text) >= minRedactedLength {
				r.encodings = append(r.encodings, text, escapeJSON(text), escapeJSON(escapeJSON(text)), trimQuotes(strconv.Quote(text)),
					trimQuotes(strconv.QuoteToASCII(text)), url.QueryEscape(text), url.PathEscape(text))
			}
		}
	}
	slices.SortFunc(r.encodings, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	r.encodings = slices.Compact(r.encodings)
	return r, nil
}

// rejectSecrets returns an error if the template of a metric uses a secret argument, or the metric contains a value of one.
func (r redactor) rejectSecrets(run *v1alpha1.AnalysisRun, metric *contractv1.Metric) error {
	texts := strings.Join([]string{metric.GetName(), metric.GetSuccessCondition(), metric.GetFailureCondition(),
		string(metric.GetBlock())}, "\n")
	holdsSecret := func(encoding string) bool {
		return len(encoding) >= minRejectedLength && strings.Contains(texts, encoding)
	}
	finding := "contains the value of an argument that comes from a Secret"
	if arg := r.referencedSecretArg(run, metric.GetName()); arg != "" {
		finding = fmt.Sprintf("argument %s comes from a Secret", arg)
	} else if !slices.ContainsFunc(r.encodings, holdsSecret) {
		return nil
	}
	return fmt.Errorf("SECRET_IN_BLOCK metric %s: %s. Put credentials into a backend of the provider's configuration.",
		metric.GetName(), finding)
}

// referencedSecretArg returns a secret argument that a template of the run's metrics of this name uses. If no metric has
// the name, it searches all of them.
func (r redactor) referencedSecretArg(run *v1alpha1.AnalysisRun, name string) (found string) {
	if len(r.templateTags) == 0 {
		return ""
	}
	metrics := slices.DeleteFunc(slices.Clone(run.Spec.Metrics), func(metric v1alpha1.Metric) bool {
		resolved, err := templateutil.ResolveArgs(metric.Name, run.Spec.Args)
		return metric.Name != name && (err != nil || resolved != name)
	})
	if len(metrics) == 0 {
		metrics = run.Spec.Metrics
	}
	text, _ := json.Marshal(metrics)
	// Argo parses templates in the same way (utils/template).
	_, _ = fasttemplate.ExecuteFuncStringWithErr(string(text), "{{", "}}", func(_ io.Writer, tag string) (int, error) {
		found = cmp.Or(found, r.templateTags[strings.TrimSpace(tag)])
		return 0, nil
	})
	return found
}

// redact replaces the values in a text.
func (r redactor) redact(text string) string {
	for _, encoding := range r.encodings {
		text = strings.ReplaceAll(text, encoding, placeholder)
	}
	return text
}

// redactMeasurement replaces the values in a measurement. The measurement's value stays valid JSON.
func (r redactor) redactMeasurement(m *v1alpha1.Measurement) {
	value := r.redact(m.Value)
	if json.Valid([]byte(m.Value)) && !json.Valid([]byte(value)) { // the secret was a number or spanned several strings
		value = `"` + placeholder + `"`
	}
	var metadata map[string]string // nil instead of empty: Argo hides measurements that have metadata
	for key, text := range m.Metadata {
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[r.redact(key)] = r.redact(text)
	}
	m.Message, m.Value, m.Metadata = r.redact(m.Message), value, metadata
}

// escapeJSON returns a text as the inside of a JSON string.
func escapeJSON(text string) string {
	out, _ := json.Marshal(text)
	return trimQuotes(string(out))
}

// trimQuotes removes the first and the last byte.
func trimQuotes(text string) string { return text[1 : len(text)-1] }
