// Command argo-host calls a metric plugin as an Argo Rollouts controller does, without a cluster. It reads one JSON
// request a line from stdin and writes one JSON answer a line to stdout, concurrently:
//
//	{"id": 1, "op": "run", "run": {AnalysisRun}, "metric": {Metric}}
//	{"id": 1, "measurement": {Measurement}, "elapsedMs": 2.1, "done": true}
//
// The ops are run, resume and terminate (with "measurement"), loop (run, then resume until finished; every answer
// but the last has "done": false), gc (with "limit"), metadata, type, and builtin (Argo's own provider.skywalking).
// Arguments in run.spec.args are resolved as Argo resolves them. The plugin's log goes to stderr.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	log "github.com/sirupsen/logrus"

	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/argohost"
)

type stringList []string

func (r *stringList) String() string         { return fmt.Sprint(*r) }
func (r *stringList) Set(value string) error { *r = append(*r, value); return nil }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "argo-host:", err)
		os.Exit(1)
	}
}

func run() error {
	var binary, name string
	var args stringList
	flag.StringVar(&binary, "plugin-binary", "", "`path` of the plugin")
	flag.StringVar(&name, "plugin-name", "skywalking/metrics", "its name under provider.plugin")
	flag.Var(&args, "arg", "argument of the plugin; repeat it for more")
	flag.Parse()
	path, err := filepath.Abs(binary)
	if err != nil || binary == "" {
		return errors.New("--plugin-binary: pass the path of the plugin")
	}
	// Upstream installs plugins below the working directory.
	home, err := os.MkdirTemp("", "argo-host-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	if err := os.Chdir(home); err != nil {
		return err
	}
	log.SetOutput(os.Stderr)
	log.SetLevel(log.WarnLevel)
	if err := argohost.Install(types.PluginItem{Name: name, Location: "file://" + path, Args: args}); err != nil {
		return err
	}
	defer argohost.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // a reader that is gone is an error to end with, not a death that leaves the plugin behind
	return serveRequests(ctx, os.Stdin, os.Stdout)
}

// converse answers until stdin ends, and then finishes what it began. A signal, or a reader that is gone, ends it at
// once.
func serveRequests(signalled context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(signalled)
	defer cancel(nil)
	var writing sync.Mutex
	writeResponse := func(response argohost.Response) {
		writing.Lock()
		defer writing.Unlock()
		if err := json.NewEncoder(out).Encode(response); err != nil {
			cancel(fmt.Errorf("answer: %w", err))
		}
	}
	done := make(chan error, 1)
	go func() {
		var calls sync.WaitGroup
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			if len(lines.Bytes()) == 0 {
				continue
			}
			var request argohost.Request
			if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
				writeResponse(argohost.Response{ID: request.ID, Error: fmt.Sprintf("request: %v", err), Done: true})
				continue
			}
			calls.Go(func() { argohost.Execute(ctx, request, writeResponse) })
		}
		calls.Wait()
		done <- lines.Err()
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
	}
	if err == nil && signalled.Err() == nil {
		err = context.Cause(ctx)
	}
	return err
}
