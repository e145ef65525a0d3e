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
type Counted struct {
	// Requests by what they ask: read, time, schema, services, metrics.
	Requests map[string]int `json:"requests"`
	// Own is the time from a request's arrival to its answer, waiting for a worker included.
	Own Quantiles `json:"own"`
}

// OAP answers the questions of the bench's metrics in SkyWalking's form, at a fixed price.
type OAP struct {
	answers  *answers
	settings atomic.Pointer[settled]
}

// settled is one set of settings with its own account, so that a late answer counts where it began.
type settled struct {
	Settings
	workers  chan struct{}
	services string

	mu       sync.Mutex
	requests map[string]int
	own      []time.Duration
}

// NewOAP gives an OAP with these settings.
func NewOAP(settings Settings) *OAP {
	oap := &OAP{answers: newAnswers()}
	oap.settle(settings)
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
		o.settle(settings)
	})
	mux.HandleFunc("GET /counted", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(o.settings.Load().counted())
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (o *OAP) settle(settings Settings) {
	next := &settled{Settings: settings, services: servicesAnswer(settings.Services), requests: map[string]int{}}
	if settings.Workers > 0 {
		next.workers = make(chan struct{}, settings.Workers)
	}
	o.settings.Store(next)
}

func (o *OAP) graphql(w http.ResponseWriter, r *http.Request) {
	began, settings := time.Now(), o.settings.Load()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if settings.workers != nil {
		settings.workers <- struct{}{}
		defer func() { <-settings.workers }()
	}
	time.Sleep(time.Duration(settings.DelayMs * float64(time.Millisecond)))
	kind, answer, err := o.answers.to(body, settings.services)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
	settings.count(kind, time.Since(began))
}

func (s *settled) count(kind string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[kind]++
	s.own = append(s.own, took)
}

func (s *settled) counted() Counted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counted{Requests: s.requests, Own: quantilesOf(s.own)}
}
