// Package bench measures metric providers as an Argo Rollouts controller uses them: an OAP that costs always the
// same, a plugin that does nothing, a load as Argo's analysis workers make it, and the sides that bear it.
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

// Settings of the OAP; they may change between two phases of a bench.
type Settings struct {
	// DelayMs is what every answer takes, in milliseconds.
	DelayMs float64 `json:"delayMs"`
	// Workers is how many requests are answered at the same time; 0 is no limit.
	Workers int `json:"workers"`
	// Services is how many services it knows.
	Services int `json:"services"`
}

// Counted is what the OAP saw since its settings changed.
type Counters struct {
	// Requests by what they ask: read, time, schema, services, metrics.
	Requests map[string]int `json:"requests"`
	// Own is the time from a request's arrival to its answer, waiting for a worker included.
	ServiceTime Quantiles `json:"own"`
}

// OAP answers the questions of the bench's metrics in SkyWalking's form, at a fixed price.
type OAP struct {
	responder *responder
	state     atomic.Pointer[oapState]
}

// settled is one set of settings with its own account, so that a late answer counts where it began.
type oapState struct {
	Settings
	workers  chan struct{}
	services string

	mu        sync.Mutex
	requests  map[string]int
	durations []time.Duration
}

// NewOAP gives an OAP with these settings.
func NewOAP(settings Settings) *OAP {
	oap := &OAP{responder: newResponder()}
	oap.apply(settings)
	return oap
}

// Serve answers on a listener until the context ends: /graphql as SkyWalking, and for the bench /settings (PUT) and
// /counted (GET).
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
	mux.HandleFunc("GET /counted", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(o.state.Load().counters())
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (o *OAP) apply(settings Settings) {
	next := &oapState{Settings: settings, services: servicesResponse(settings.Services), requests: map[string]int{}}
	if settings.Workers > 0 {
		next.workers = make(chan struct{}, settings.Workers)
	}
	o.state.Store(next)
}

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
	kind, response, err := o.responder.respond(body, settings.services)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(response)
	settings.record(kind, time.Since(started))
}

func (s *oapState) record(kind string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[kind]++
	s.durations = append(s.durations, took)
}

func (s *oapState) counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counters{Requests: s.requests, ServiceTime: computeQuantiles(s.durations)}
}
