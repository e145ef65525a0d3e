package provider

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// createStaleSocket creates a socket without a listener, as a killed process leaves it.
func createStaleSocket(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	listener.SetUnlinkOnClose(false)
	require.NoError(t, listener.Close())
}
