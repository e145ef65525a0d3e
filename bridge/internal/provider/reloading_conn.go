package provider

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

// reloadInterval is the time between two reads of the TLS files.
const reloadInterval = 10 * time.Second

// reloadingConn is a connection that is replaced when the TLS files change. The new connection is used once it is ready, and
// calls in flight end on the old one. Unusable files leave the old connection in use.
type reloadingConn struct {
	current      atomic.Pointer[grpc.ClientConn]
	dial         func() (*grpc.ClientConn, error)
	files        TLSFiles
	drainTimeout time.Duration // deadline of the longest call
	log          hclog.Logger
	stop         context.CancelFunc
}

// newReloadingConn returns a connection that reads the files once per interval. Unusable files are logged, not returned as
// an error: they may appear later, and until then measurements wait.
func newReloadingConn(
	dial func() (*grpc.ClientConn, error), files TLSFiles, interval, drainTimeout time.Duration, log hclog.Logger,
) (*reloadingConn, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	r := &reloadingConn{dial: dial, files: files, drainTimeout: drainTimeout, log: log}
	r.current.Store(conn)
	loaded, err := files.read()
	if err == nil {
		_, err = files.config(loaded)
	}
	if err != nil {
		log.Error("TLS files not usable", "error", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go r.watch(ctx, loaded, interval)
	return r, nil
}

// Invoke makes a call on the current connection.
func (r *reloadingConn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	return r.current.Load().Invoke(ctx, method, args, reply, options...)
}

// NewStream opens a stream on the current connection.
func (r *reloadingConn) NewStream(
	ctx context.Context, description *grpc.StreamDesc, method string, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return r.current.Load().NewStream(ctx, description, method, options...)
}

// GetState returns the state of the current connection.
func (r *reloadingConn) GetState() connectivity.State { return r.current.Load().GetState() }

// Close stops the reads of the files and closes the current connection.
func (r *reloadingConn) Close() error {
	r.stop()
	return r.current.Load().Close()
}

// watch replaces the connection when the files differ from the loaded ones.
func (r *reloadingConn) watch(ctx context.Context, loaded pemFiles, interval time.Duration) {
	for ticks := time.Tick(interval); ; {
		select {
		case <-ticks:
		case <-ctx.Done():
			return
		}
		updated, err := r.files.read()
		if err == nil && updated.equal(loaded) {
			continue
		}
		if err == nil {
			_, err = r.files.config(updated)
		}
		if err == nil {
			err = r.replace(ctx)
		}
		if err != nil {
			r.log.Warn("changed TLS files not in use yet", "error", err)
			continue
		}
		loaded = updated
		r.log.Info("changed TLS files in use")
	}
}

// replace opens a connection, waits until it is ready, and makes it the current one.
func (r *reloadingConn) replace(ctx context.Context) error {
	fresh, err := r.dial()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.drainTimeout)
	defer cancel()
	fresh.Connect()
	for state := fresh.GetState(); state != connectivity.Ready; state = fresh.GetState() {
		if !fresh.WaitForStateChange(ctx, state) {
			_ = fresh.Close()
			return fmt.Errorf("no connection with the changed files within %s", r.drainTimeout)
		}
	}
	old := r.current.Swap(fresh)
	time.AfterFunc(r.drainTimeout, func() { _ = old.Close() })
	return nil
}
