// Package bench measures metric providers as Argo Rollouts uses them. It has an OAP with a constant response time, a
// plugin that does nothing, a load like that of Argo's analysis workers, and the measured systems.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Settings of the OAP; they may change between two scenarios of a benchmark.
type Settings struct {
	// DelayMs is the duration of every response in milliseconds.
	DelayMs float64 `json:"delayMs"`
	// Workers is the number of requests processed at the same time; 0 means no limit.
	Workers int `json:"workers"`
	// Services is the number of services in the inventory.
	Services int `json:"services"`
	// ClockMs is the time of its clock in milliseconds since 1970; 0 means the real time.
	ClockMs int64 `json:"clockMs"`
	// Hashes are the pod-template-hashes of the first services, the canary's first; others have canaryHash and stableHash.
	Hashes [][2]string `json:"hashes"`
}

// Counters counts the OAP's requests since its settings changed.
type Counters struct {
	// Requests is the number of requests by kind: read, instances, time, schema, services, metrics.
	Requests map[string]int `json:"requests"`
	// ServiceTime is the time from a request's arrival to its response, with the wait for a worker.
	ServiceTime Quantiles `json:"serviceTimeMs"`
}

// OAP serves the queries of the benchmark's metrics in SkyWalking's format with a constant response time.
type OAP struct {
	responder *responder
	state     atomic.Pointer[oapState]
}

// oapState is one set of settings with its own counters, so that a request counts for the settings it arrived under.
type oapState struct {
	Settings
	workers  chan struct{}
	services string

	mu        sync.Mutex
	requests  map[string]int
	durations []time.Duration
}

// NewOAP returns an OAP with these settings.
func NewOAP(settings Settings) *OAP {
	oap := &OAP{responder: newResponder()}
	oap.apply(settings)
	return oap
}

// Serve serves on a listener until the context ends: /graphql like SkyWalking, and for the benchmark /settings (PUT) and
// /counters (GET).
func (o *OAP) Serve(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", o.graphql)
	mux.HandleFunc("PUT /settings", func(w http.ResponseWriter, r *http.Request) {
		var settings Settings
		if err := json.NewDecoder(r.Body).Decode(&settings); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		o.apply(settings)
	})
	mux.HandleFunc("GET /counters", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(o.state.Load().counters())
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// apply replaces the settings and resets the counters.
func (o *OAP) apply(settings Settings) {
	next := &oapState{Settings: settings, services: servicesResponse(settings.Services), requests: map[string]int{}}
	if settings.Workers > 0 {
		next.workers = make(chan struct{}, settings.Workers)
	}
	o.state.Store(next)
}

// graphql handles one GraphQL request.
func (o *OAP) graphql(w http.ResponseWriter, r *http.Request) {
	started, settings := time.Now(), o.state.Load()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if settings.workers != nil {
		settings.workers <- struct{}{}
		defer func() { <-settings.workers }()
	}
	time.Sleep(time.Duration(settings.DelayMs * float64(time.Millisecond)))
	kind, response, err := o.responder.respond(body, settings)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(response)
	settings.record(kind, time.Since(started))
}

// now returns the time of the OAP's clock.
func (s *oapState) now() time.Time {
	if s.ClockMs == 0 {
		return time.Now()
	}
	return time.UnixMilli(s.ClockMs)
}

// record counts one request.
func (s *oapState) record(kind string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[kind]++
	s.durations = append(s.durations, took)
}

// counters returns the counts so far.
func (s *oapState) counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counters{Requests: s.requests, ServiceTime: computeQuantiles(s.durations)}
}
