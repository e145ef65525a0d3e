package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
)

// TLSFiles holds the paths of PEM files: the CA of the service's certificate, and the client certificate and key of this
// bridge.
type TLSFiles struct {
	CA, Cert, Key string
	// ServerName is the name in the service's certificate if it differs from the host of the target.
	ServerName string
}

// pemFiles holds the contents of the files at one moment.
type pemFiles struct{ ca, cert, key []byte }

// read returns the contents of the files. An error names the flag and the path.
func (f TLSFiles) read() (m pemFiles, err error) {
	for _, file := range []struct {
		flag, path string
		into       *[]byte
	}{{"--tls-ca", f.CA, &m.ca}, {"--tls-cert", f.Cert, &m.cert}, {"--tls-key", f.Key, &m.key}} {
		if *file.into, err = os.ReadFile(file.path); err != nil {
			var where *os.PathError
			if errors.As(err, &where) {
				err = where.Err
			}
			return m, fmt.Errorf("%s %s: %w", file.flag, file.path, err)
		}
	}
	return m, nil
}

// equal reports whether the contents are the same.
func (m pemFiles) equal(other pemFiles) bool {
	return bytes.Equal(m.ca, other.ca) && bytes.Equal(m.cert, other.cert) && bytes.Equal(m.key, other.key)
}

// config returns the client's TLS configuration with these contents.
func (f TLSFiles) config(m pemFiles) (*tls.Config, error) {
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(m.ca) {
		return nil, fmt.Errorf("--tls-ca %s: contains no PEM certificate", f.CA)
	}
	pair, err := tls.X509KeyPair(m.cert, m.key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", f.Cert, f.Key, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: authorities, Certificates: []tls.Certificate{pair}, ServerName: f.ServerName,
	}, nil
}

// reloadingCredentials reads the files for every handshake, so that the next connection uses a rotated certificate.
type reloadingCredentials struct {
	credentials.TransportCredentials
	files TLSFiles
}

// credentials returns transport credentials that read the files for every handshake.
func (f TLSFiles) credentials() credentials.TransportCredentials {
	return reloadingCredentials{credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, ServerName: f.ServerName}), f}
}

// Clone returns a copy.
func (c reloadingCredentials) Clone() credentials.TransportCredentials {
	return reloadingCredentials{c.TransportCredentials.Clone(), c.files}
}

// ClientHandshake reads the files and makes the handshake with their current contents.
func (c reloadingCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	loaded, err := c.files.read()
	if err != nil {
		return nil, nil, err
	}
	config, err := c.files.config(loaded)
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
}
