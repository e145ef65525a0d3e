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

// lookEvery is how often the files of TLS are read to see whether they changed.
const reloadInterval = 10 * time.Second

// renewed is a connection that is replaced when the files of TLS change: by one that is ready, and so that the calls
// under way end on the one they began on. Files that do not do leave the connection as it is.
type reloadingConn struct {
	current      atomic.Pointer[grpc.ClientConn]
	dial         func() (*grpc.ClientConn, error)
	files        TLSFiles
	drainTimeout time.Duration // call
	log          hclog.Logger
	stop         context.CancelFunc
}

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
	if err != nil { // not the end: they may be there in a moment, and until then measurements wait
		log.Error("TLS with the sidecar is not possible", "error", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go r.watch(ctx, loaded, interval)
	return r, nil
}

func (r *reloadingConn) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	return r.current.Load().Invoke(ctx, method, args, reply, options...)
}

func (r *reloadingConn) NewStream(
	ctx context.Context, description *grpc.StreamDesc, method string, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return r.current.Load().NewStream(ctx, description, method, options...)
}

func (r *reloadingConn) GetState() connectivity.State { return r.current.Load().GetState() }

func (r *reloadingConn) Close() error {
	r.stop()
	return r.current.Load().Close()
}

// watch replaces the connection when the files are no longer what is held.
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
			r.log.Warn("the files of TLS changed and are not in force yet", "error", err)
			continue
		}
		loaded = updated
		r.log.Info("the files of TLS changed and are in force")
	}
}

// replace puts a ready connection into the place of the current one.
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
			return fmt.Errorf("no connection with them within %s", r.drainTimeout)
		}
	}
	old := r.current.Swap(fresh)
	time.AfterFunc(r.drainTimeout, func() { _ = old.Close() })
	return nil
}
