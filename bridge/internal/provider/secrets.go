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
	mask = "********"
	// minMasked: shorter values would blot out ordinary words. Nothing is lost by it: a block that names a secret
	// argument is refused whatever the value's length, so a short value never reaches the sidecar.
	minMasked = 4
	// minRefused: from this length on, a block that holds the value is taken to hold the secret.
	minRefused = 8
	// maxSecrets and maxSecretBytes bound the work of one call. Beyond them the sidecar is not asked at all: a secret
	// masked in part would be a secret told in part.
	maxSecrets, maxSecretBytes = 64, 64 << 10
)

// secrets are the secret arguments of one run. Argo writes their values into the run and into the block, and redacts
// only its log and the message of a measurement: what leaves by value or metadata is ours to clean. They live as long
// as one call, so that no run can feel, or find out, what another's are.
type secrets struct {
	tags  map[string]string // what a template writes for an argument, to the argument's name
	forms []string          // the values in every way in which a program may print them, longest first
}

func secretsOf(run *v1alpha1.AnalysisRun) (s secrets, err error) {
	if run == nil {
		return s, nil
	}
	s.tags = map[string]string{}
	values, size := map[string]bool{}, 0
	for _, arg := range run.Spec.Args {
		if arg.ValueFrom == nil || arg.ValueFrom.SecretKeyRef == nil {
			continue
		}
		s.tags["args."+arg.Name] = arg.Name
		if arg.Value != nil && !values[*arg.Value] {
			values[*arg.Value], size = true, size+len(*arg.Value)
		}
	}
	if len(values) > maxSecrets || size > maxSecretBytes {
		return s, fmt.Errorf("SECRETS_TOO_LARGE spec.args: %d values of %d bytes come from Secrets, and at most %d of %d bytes"+
			" can be kept out of the answer; give this analysis only what it needs", len(values), size, maxSecrets, maxSecretBytes)
	}
	for value := range values {
		for _, text := range []string{value, strings.TrimSpace(value), strings.Join(strings.Fields(value), " ")} {
			if len(text) >= minMasked {
				s.forms = append(s.forms, text, quoted(text), quoted(quoted(text)), unquoted(strconv.Quote(text)),
					unquoted(strconv.QuoteToASCII(text)), url.QueryEscape(text), url.PathEscape(text))
			}
		}
	}
	slices.SortFunc(s.forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	s.forms = slices.Compact(s.forms)
	return s, nil
}

// inside refuses a metric with a secret: its template names a secret argument, or a text of it holds a value.
func (s secrets) inside(run *v1alpha1.AnalysisRun, metric *contractv1.Metric) error {
	texts := strings.Join([]string{metric.GetName(), metric.GetSuccessCondition(), metric.GetFailureCondition(),
		string(metric.GetBlock())}, "\n")
	held := func(form string) bool { return len(form) >= minRefused && strings.Contains(texts, form) }
	found := "it holds the value of an argument that comes from a Secret"
	if arg := s.named(run, metric.GetName()); arg != "" {
		found = fmt.Sprintf("the argument %s comes from a Secret", arg)
	} else if !slices.ContainsFunc(s.forms, held) {
		return nil
	}
	return fmt.Errorf("SECRET_IN_BLOCK metric %s: %s: credentials belong in a backend of the provider's configuration",
		metric.GetName(), found)
}

// named finds a secret argument in the templates of the run's metrics of this name, or in all if none has it.
func (s secrets) named(run *v1alpha1.AnalysisRun, name string) (found string) {
	if len(s.tags) == 0 {
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
		found = cmp.Or(found, s.tags[strings.TrimSpace(tag)])
		return 0, nil
	})
	return found
}

// text is a line without the values.
func (s secrets) text(line string) string {
	for _, form := range s.forms {
		line = strings.ReplaceAll(line, form, mask)
	}
	return line
}

// clean takes the values out of a measurement.
func (s secrets) clean(m *v1alpha1.Measurement) {
	value := s.text(m.Value)
	if json.Valid([]byte(m.Value)) && !json.Valid([]byte(value)) { // a number, or more than one string
		value = `"` + mask + `"`
	}
	var metadata map[string]string // not empty: Argo hides measurements that have any
	for key, text := range m.Metadata {
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[s.text(key)] = s.text(text)
	}
	m.Message, m.Value, m.Metadata = s.text(m.Message), value, metadata
}

func quoted(text string) string {
	out, _ := json.Marshal(text)
	return unquoted(string(out))
}

func unquoted(text string) string { return text[1 : len(text)-1] }
