package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// services are the real service and the OAPs that it reads: two mocks of the package, and one that answers what a
// test puts into its mouth. They start once for all tests.
type services struct {
	socket   string
	log      *logBuffer
	healthy  string // base URLs
	failing  string
	scripted *scriptedOAP
	token    string // the service's credential for the scripted OAP
	children []*exec.Cmd
	closers  []func()
}

var (
	startOnce sync.Once
	started   *services
	startErr  error
)

// startedServices gives the running services, or ends the test with the reason why there are none.
func startedServices(t *testing.T) *services {
	t.Helper()
	startOnce.Do(func() { started, startErr = startServices() })
	require.NoError(t, startErr)
	started.scripted.setHandler(nil)
	return started
}

// installWithService puts the bridge before the real service.
func installWithService(t *testing.T) *services {
	t.Helper()
	s := startedServices(t)
	installBridge(t, "--socket="+s.socket)
	s.log.Reset()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the service's log:\n" + s.log.String())
		}
	})
	return s
}

func stopServices() {
	if started == nil {
		return
	}
	for _, child := range started.children {
		_ = child.Process.Signal(syscall.SIGTERM)
	}
	for _, child := range started.children {
		end := time.AfterFunc(20*time.Second, func() { _ = child.Process.Kill() })
		_ = child.Wait()
		end.Stop()
	}
	for _, closer := range started.closers {
		closer()
	}
}

func startServices() (*services, error) {
	s := &services{log: &logBuffer{}, token: "the-backends-own-t0ken", scripted: &scriptedOAP{}}
	oap := httptest.NewServer(s.scripted)
	s.closers = append(s.closers, oap.Close)
	home, err := os.MkdirTemp("", "service-")
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, func() { os.RemoveAll(home) })
	for scenario, url := range map[string]*string{"healthy-canary": &s.healthy, "failing-canary": &s.failing} {
		line, err := s.start(&logBuffer{}, "ready at ", "mock-oap", "--listen", "127.0.0.1:0", "--scenario", scenario)
		if err != nil {
			return s, err
		}
		_, address, _ := strings.Cut(line, "ready at ")
		*url = strings.TrimSuffix(address, "/graphql")
	}
	s.socket = filepath.Join(home, "provider.sock")
	backend := func(url string, more map[string]any) map[string]any {
		// Never open, so that an OAP is asked again as soon as a test has healed it.
		out := map[string]any{"url": url, "timeout": "1s", "circuit": map[string]any{"failures": 1000}}
		for key, value := range more {
			out[key] = value
		}
		return out
	}
	text, err := yaml.Marshal(map[string]any{"backends": map[string]any{
		"healthy": backend(s.healthy, map[string]any{"aliases": []string{"http://oap.istio-system:12800"}}),
		"failing": backend(s.failing, nil),
		"scripted": backend(oap.URL, map[string]any{
			"bearer": map[string]any{"token": s.token}, "clockTtl": "1ms", "answerTtl": "0s", "settle": "60s",
		}),
		"absent": backend("http://127.0.0.1:1", nil),
	}})
	if err != nil {
		return s, err
	}
	config := filepath.Join(home, "config.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return s, err
	}
	_, err = s.start(s.log, `"ready"`, "serve", "--config", config, "--socket", s.socket, "--log-format", "json",
		"--drain", "1s")
	return s, err
}

// start runs a command of the package and waits for the line that says it is ready.
func (s *services) start(log *logBuffer, ready string, args ...string) (string, error) {
	program := os.Getenv("SKYWALKING_PROVIDER")
	if program == "" {
		program = filepath.Join(repository, ".venv", "bin", "skywalking-provider")
	}
	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), "TZ=UTC")
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		return "", fmt.Errorf("%w; the service must be installed: make .venv/.installed", err)
	}
	s.children = append(s.children, command)
	lines := make(chan string, 1)
	go func() {
		scanner := bufio.NewScanner(reader)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			fmt.Fprintln(log, scanner.Text())
			if strings.Contains(scanner.Text(), ready) {
				select {
				case lines <- scanner.Text():
				default:
				}
			}
		}
	}()
	select {
	case line := <-lines:
		return line, nil
	case <-time.After(60 * time.Second):
		return "", errors.New(strings.Join(args, " ") + ": not ready after a minute:\n" + log.String())
	}
}

// injectFault switches a fault of a mock on, for the rest of the test.
func injectFault(t *testing.T, mock, text string) {
	t.Helper()
	response, err := http.Post(mock+"/mock/faults", "application/json", strings.NewReader(text))
	require.NoError(t, err)
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	require.Less(t, response.StatusCode, 300, string(body))
	t.Cleanup(func() { clearFaults(t, mock) })
}

func clearFaults(t *testing.T, mock string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodDelete, mock+"/mock/faults", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
}

// scriptedOAP answers every query with what the test says, and its clock and zone as an OAP does.
type scriptedOAP struct {
	mu       sync.Mutex
	respond  http.HandlerFunc
	zone     string
	requests []string // bodies, those for clock, schema and catalog aside
	headers  []http.Header
}

// oapSchema is what OAP 10 tells of itself, as far as the service asks.
const oapSchema = `{"data":{
	"query":{"fields":[{"name":"readMetricsValues"},{"name":"readNullableMetricsValue"},{"name":"execExpression"}]},
	"value":{"fields":[{"name":"id"},{"name":"value"},{"name":"isEmptyValue"}]}}}`

// setHandler sets what the next queries get; nil: an empty object. The zone is +0000 again.
func (o *scriptedOAP) setHandler(respond http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.respond, o.zone, o.requests, o.headers = respond, "+0000", nil, nil
}

// setResponse answers a text with that status, and what the service asks beside the author's reads.
func (o *scriptedOAP) setResponse(status int, contentType, text string) {
	o.setHandler(func(w http.ResponseWriter, r *http.Request) {
		query, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, addPresenceReads(text, string(query)))
	})
}

// addPresenceReads is an answer in which the companions of its reads (docs/block.md) say the same as the reads, as those of an
// OAP do. A read that does not tell what is absent has all its buckets.
func addPresenceReads(text, query string) string {
	var response struct {
		Data   map[string]any `json:"data"`
		Errors []any          `json:"errors,omitempty"`
	}
	if json.Unmarshal([]byte(text), &response) != nil || response.Data == nil {
		return text
	}
	for name, read := range response.Data {
		if companion := "swp_present_" + name; strings.Contains(query, companion) {
			response.Data[companion] = markBucketsPresent(read)
		}
	}
	full, _ := json.Marshal(response)
	return string(full)
}

// markBucketsPresent is a read with isEmptyValue in each of its buckets.
func markBucketsPresent(node any) any {
	switch node := node.(type) {
	case []any:
		copied := make([]any, 0, len(node))
		for _, item := range node {
			copied = append(copied, markBucketsPresent(item))
		}
		return copied
	case map[string]any:
		copied := map[string]any{}
		for key, value := range node {
			copied[key] = markBucketsPresent(value)
		}
		if _, bucket := node["value"]; bucket && node["isEmptyValue"] == nil {
			copied["isEmptyValue"] = false
		}
		return copied
	default:
		return node
	}
}

func (o *scriptedOAP) setZone(zone string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.zone = zone
}

func (o *scriptedOAP) queries() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.requests...)
}

func (o *scriptedOAP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	o.mu.Lock()
	respond, zone := o.respond, o.zone
	clock := strings.Contains(string(body), "getTimeInfo")
	schema := strings.Contains(string(body), "__type(")
	metrics := strings.Contains(string(body), "listMetrics")
	names := strings.Contains(string(body), "listServices")
	if !clock && !schema && !metrics && !names {
		o.requests, o.headers = append(o.requests, string(body)), append(o.headers, r.Header)
	}
	o.mu.Unlock()
	switch {
	case clock:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"data":{"getTimeInfo":{"timezone":%q,"currentTimestamp":%d}}}`, zone, time.Now().UnixMilli())
	case schema:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, oapSchema)
	case metrics:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"metrics":[{"name":"m","catalog":"SERVICE"}]}}`)
	case names:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"services":[{"id":"cw==.1","name":"s","layers":["MESH"],"normal":true}]}}`)
	case respond != nil:
		respond(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{}}`)
	}
}
