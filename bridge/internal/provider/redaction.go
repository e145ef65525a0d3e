package provider

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
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
	patterns     []secretPattern   // longest first; each has at least minRedactedLength bytes
	index        patternIndex
}

// secretPattern is a text that belongs to a secret: the secret, one of its decoded levels, or its base64 or hexadecimal form.
type secretPattern struct {
	text   []byte
	isForm bool
	secret int // length of the secret in bytes
}

// span is the place of a secret in a text.
type span struct{ start, end int }

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
		r.addPatterns(strings.TrimSpace(value))
	}
	slices.SortFunc(r.patterns, func(a, b secretPattern) int {
		return cmp.Or(len(b.text)-len(a.text), bytes.Compare(a.text, b.text), b.secret-a.secret)
	})
	r.patterns = slices.CompactFunc(r.patterns, func(a, b secretPattern) bool { return bytes.Equal(a.text, b.text) })
	r.index = newPatternIndex(r.patterns)
	return r, nil
}

func (r *redactor) addPatterns(secret string) {
	if len(secret) < minRedactedLength {
		return
	}
	for _, level := range decodeLevels(secret) {
		if text := level.squeeze().text; len(text) >= minRedactedLength {
			r.patterns = append(r.patterns, secretPattern{text: text, secret: len(secret)})
		}
	}
	for _, form := range encodeForms(secret) {
		if text := (locatedText{text: []byte(form)}).squeeze().text; len(text) >= minRedactedLength {
			r.patterns = append(r.patterns, secretPattern{text: text, isForm: true, secret: len(secret)})
		}
	}
}

// rejectSecrets returns an error if the template of a metric uses a secret argument, or the metric contains a value of one.
func (r redactor) rejectSecrets(run *v1alpha1.AnalysisRun, metric *contractv1.Metric) error {
	texts := strings.Join([]string{metric.GetName(), metric.GetSuccessCondition(), metric.GetFailureCondition(),
		string(metric.GetBlock())}, "\n")
	finding := "contains the value of an argument that comes from a Secret"
	if arg := r.referencedSecretArg(run, metric.GetName()); arg != "" {
		finding = fmt.Sprintf("argument %s comes from a Secret", arg)
	} else if len(r.find(texts, minRejectedLength)) == 0 {
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
	spans := r.find(text, minRedactedLength)
	if len(spans) == 0 {
		return text
	}
	var out strings.Builder
	position := 0
	for _, found := range spans {
		out.WriteString(text[position:found.start] + placeholder)
		position = found.end
	}
	return out.String() + text[position:]
}

// find returns the places of the secrets of a minimum length in a text, sorted and without overlaps.
func (r redactor) find(text string, minLength int) (merged []span) {
	if len(r.patterns) == 0 {
		return nil
	}
	var spans []span
	for _, level := range decodeLevels(text) {
		level = level.squeeze()
		for number := range r.index.search(r.patterns, level.text) {
			if pattern := r.patterns[number]; pattern.secret >= minLength {
				spans = append(spans, level.find(pattern)...)
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.start-b.start, a.end-b.end) })
	for _, next := range spans {
		if last := len(merged) - 1; last >= 0 && next.start < merged[last].end {
			merged[last].end = max(merged[last].end, next.end)
		} else {
			merged = append(merged, next)
		}
	}
	return merged
}

// find returns the places of a pattern. Those of base64 include the characters around it, which have bits of the secret.
func (t locatedText) find(pattern secretPattern) (spans []span) {
	for position := 0; ; {
		found := bytes.Index(t.text[position:], pattern.text)
		if found < 0 {
			return spans
		}
		start, end := position+found, position+found+len(pattern.text)
		for pattern.isForm && start > position && base64Bytes[t.text[start-1]] {
			start--
		}
		for pattern.isForm && end < len(t.text) && base64Bytes[t.text[end]] {
			end++
		}
		spans, position = append(spans, t.origin(start, end)), end
	}
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
