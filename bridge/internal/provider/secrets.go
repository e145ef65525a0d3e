package provider

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/valyala/fasttemplate"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	mask = "********"
	// maxSecrets bounds the memory; the least recently seen value goes first.
	maxSecrets = 1024
	// minReplaced: shorter values would blot out ordinary words. Nothing is lost by it: a block that names a
	// secret argument is refused whatever the value's length, so a short value never reaches the sidecar.
	minReplaced = 4
	// minRefused: from this length on, a block that holds the value is taken to hold the secret.
	minRefused = 8
)

// secrets remembers the values of secret arguments. Argo writes them into the run and into the block, and redacts
// only its log and the message of a measurement: what leaves by value or metadata is ours to clean.
type secrets struct {
	mu       sync.Mutex
	values   []string // least recently seen first
	refused  []string // digests of metrics that named a secret argument; GetMetadata gets them without the run
	replaced *strings.Replacer
	long     *strings.Replacer
}

func newSecrets() *secrets {
	return &secrets{replaced: strings.NewReplacer(), long: strings.NewReplacer()}
}

// remember takes up the values of a run's secret arguments.
func (s *secrets) remember(run *v1alpha1.AnalysisRun) {
	if run == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var known bool
	for _, arg := range run.Spec.Args {
		if isSecret(arg) && arg.Value != nil && len(strings.TrimSpace(*arg.Value)) >= minReplaced {
			if s.values, known = refresh(s.values, *arg.Value); !known {
				s.replaced, s.long = replacer(s.values, minReplaced), replacer(s.values, minRefused)
			}
		}
	}
}

// inBlock says which secret a metric would carry to the sidecar: an argument that the unresolved metric names, or
// a remembered value. Empty: none.
func (s *secrets) inBlock(run *v1alpha1.AnalysisRun, metric *contractv1.Metric) string {
	texts := []string{metric.GetName(), metric.GetSuccessCondition(), metric.GetFailureCondition(), string(metric.GetBlock())}
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	name := namedSecret(run, metric.GetName())
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" {
		s.refused, _ = refresh(s.refused, string(sum[:]))
		return fmt.Sprintf("the argument %s comes from a Secret", name)
	}
	holds := func(text string) bool { return cleanJSON(s.long, text) != text }
	if slices.Contains(s.refused, string(sum[:])) || slices.ContainsFunc(texts, holds) {
		return "it holds the value of an argument that comes from a Secret"
	}
	return ""
}

// text is a line without the remembered values.
func (s *secrets) text(line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replaced.Replace(line)
}

// clean takes the remembered values out of a measurement.
func (s *secrets) clean(m *v1alpha1.Measurement) {
	m.Message = s.text(m.Message)
	m.Metadata = s.metadata(m.Metadata)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Value = cleanJSON(s.replaced, m.Value)
}

func (s *secrets) metadata(metadata map[string]string) map[string]string {
	if len(metadata) == 0 {
		return nil // Argo hides measurements that have any
	}
	clean := make(map[string]string, len(metadata))
	for key, value := range metadata {
		clean[s.text(key)] = s.text(value)
	}
	return clean
}

func isSecret(arg v1alpha1.Argument) bool {
	return arg.ValueFrom != nil && arg.ValueFrom.SecretKeyRef != nil
}

// namedSecret finds a secret argument in the unresolved metric. If no metric has the name (it was templated
// itself), all are looked at.
func namedSecret(run *v1alpha1.AnalysisRun, metric string) (found string) {
	if run == nil {
		return ""
	}
	metrics := slices.Clone(run.Spec.Metrics)
	if at := slices.IndexFunc(metrics, func(m v1alpha1.Metric) bool { return m.Name == metric }); at >= 0 {
		metrics = metrics[at : at+1]
	}
	text, _ := json.Marshal(metrics)
	// The way Argo itself reads templates (utils/template).
	_, _ = fasttemplate.ExecuteFuncStringWithErr(string(text), "{{", "}}", func(_ io.Writer, tag string) (int, error) {
		for _, arg := range run.Spec.Args {
			if isSecret(arg) && strings.TrimSpace(tag) == "args."+arg.Name {
				found = arg.Name
			}
		}
		return 0, nil
	})
	return found
}

// refresh moves value to the young end of a bounded list, and tells whether it was there.
func refresh(list []string, value string) ([]string, bool) {
	at := slices.Index(list, value)
	if at >= 0 {
		list = slices.Delete(list, at, at+1)
	}
	list = append(list, value)
	return list[max(0, len(list)-maxSecrets):], at >= 0
}

// replacer masks the values in every form in which a program may print them, longest first.
func replacer(values []string, shortest int) *strings.Replacer {
	var forms []string
	for _, value := range values {
		for _, text := range []string{value, strings.TrimSpace(value), strings.Join(strings.Fields(value), " ")} {
			if len(text) < shortest {
				continue
			}
			var plain bytes.Buffer
			encoder := json.NewEncoder(&plain)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(text)
			html, _ := json.Marshal(text)
			forms = append(forms, text, unquoted(strings.TrimSpace(plain.String())), unquoted(string(html)),
				unquoted(strconv.Quote(text)), unquoted(strconv.QuoteToASCII(text)), url.QueryEscape(text), url.PathEscape(text))
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, mask)
	}
	return strings.NewReplacer(pairs...)
}

func unquoted(text string) string { return text[1 : len(text)-1] }

// cleanJSON masks within the strings of a JSON document, so that it stays one; any other text as it is.
func cleanJSON(r *strings.Replacer, text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return r.Replace(text)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return r.Replace(text)
	}
	cleaned, changed := cleanNode(r, document)
	if !changed {
		return text // byte for byte
	}
	out, _ := json.Marshal(cleaned)
	return string(out)
}

func cleanNode(r *strings.Replacer, node any) (clean any, changed bool) {
	switch node := node.(type) {
	case string:
		clean := r.Replace(node)
		return clean, clean != node
	case json.Number:
		if r.Replace(node.String()) == mask { // the number is the secret; one that only contains it is not
			return mask, true
		}
	case []any:
		for i := range node {
			var one bool
			node[i], one = cleanNode(r, node[i])
			changed = changed || one
		}
		return node, changed
	case map[string]any:
		out := make(map[string]any, len(node))
		for key, value := range node {
			child, one := cleanNode(r, value)
			name := r.Replace(key)
			out[name] = child
			changed = changed || one || name != key
		}
		return out, changed
	}
	return node, false
}
