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
	// minMasked: shorter values would blot out ordinary words. Nothing is lost by it: a block that names a secret
	// argument is refused whatever the value's length, so a short value never reaches the sidecar.
	minRedactedLength = 4
	// minRefused: from this length on, a block that holds the value is taken to hold the secret.
	minRejectedLength = 8
	// maxSecrets and maxSecretBytes bound the work of one call. Beyond them the sidecar is not asked at all: a secret
	// masked in part would be a secret told in part.
	maxSecrets, maxSecretBytes = 64, 64 << 10
)

// secrets are the secret arguments of one run. Argo writes their values into the run and into the block, and redacts
// only its log and the message of a measurement: what leaves by value or metadata is ours to clean. They live as long
// as one call, so that no run can feel, or find out, what another's are.
type redactor struct {
	templateTags map[string]string // what a template writes for an argument, to the argument's name
	encodings    []string          // the values in every way in which a program may print them, longest first
}

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
		return r, fmt.Errorf("SECRETS_TOO_LARGE spec.args: %d values of %d bytes come from Secrets, and at most %d of %d bytes"+
			" can be kept out of the answer; give this analysis only what it needs", len(values), size, maxSecrets, maxSecretBytes)
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

// inside refuses a metric with a secret: its template names a secret argument, or a text of it holds a value.
func (r redactor) rejectSecrets(run *v1alpha1.AnalysisRun, metric *contractv1.Metric) error {
	texts := strings.Join([]string{metric.GetName(), metric.GetSuccessCondition(), metric.GetFailureCondition(),
		string(metric.GetBlock())}, "\n")
	holdsSecret := func(encoding string) bool {
		return len(encoding) >= minRejectedLength && strings.Contains(texts, encoding)
	}
	finding := "it holds the value of an argument that comes from a Secret"
	if arg := r.referencedSecretArg(run, metric.GetName()); arg != "" {
		finding = fmt.Sprintf("the argument %s comes from a Secret", arg)
	} else if !slices.ContainsFunc(r.encodings, holdsSecret) {
		return nil
	}
	return fmt.Errorf("SECRET_IN_BLOCK metric %s: %s: credentials belong in a backend of the provider's configuration",
		metric.GetName(), finding)
}

// named finds a secret argument in the templates of the run's metrics of this name, or in all if none has it.
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
	// The way Argo itself reads templates (utils/template).
	_, _ = fasttemplate.ExecuteFuncStringWithErr(string(text), "{{", "}}", func(_ io.Writer, tag string) (int, error) {
		found = cmp.Or(found, r.templateTags[strings.TrimSpace(tag)])
		return 0, nil
	})
	return found
}

// text is a line without the values.
func (r redactor) redact(text string) string {
	for _, encoding := range r.encodings {
		text = strings.ReplaceAll(text, encoding, placeholder)
	}
	return text
}

// clean takes the values out of a measurement.
func (r redactor) redactMeasurement(m *v1alpha1.Measurement) {
	value := r.redact(m.Value)
	if json.Valid([]byte(m.Value)) && !json.Valid([]byte(value)) { // a number, or more than one string
		value = `"` + placeholder + `"`
	}
	var metadata map[string]string // not empty: Argo hides measurements that have any
	for key, text := range m.Metadata {
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[r.redact(key)] = r.redact(text)
	}
	m.Message, m.Value, m.Metadata = r.redact(m.Message), value, metadata
}

func escapeJSON(text string) string {
	out, _ := json.Marshal(text)
	return trimQuotes(string(out))
}

func trimQuotes(text string) string { return text[1 : len(text)-1] }
