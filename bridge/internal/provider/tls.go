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

// TLSFiles are the paths of PEM files, by the flags that name them: the authority of the service's certificate, and
// the certificate and key that the service knows this bridge by.
type TLSFiles struct {
	CA, Cert, Key string
	// ServerName is the name in the service's certificate, if it is not the host of the target.
	ServerName string
}

// material is what the files hold at one moment.
type pemFiles struct{ ca, cert, key []byte }

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

func (m pemFiles) equal(other pemFiles) bool {
	return bytes.Equal(m.ca, other.ca) && bytes.Equal(m.cert, other.cert) && bytes.Equal(m.key, other.key)
}

// config makes a client's TLS of what was read.
func (f TLSFiles) config(m pemFiles) (*tls.Config, error) {
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(m.ca) {
		return nil, fmt.Errorf("--tls-ca %s: has no certificate in PEM", f.CA)
	}
	pair, err := tls.X509KeyPair(m.cert, m.key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", f.Cert, f.Key, err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: authorities, Certificates: []tls.Certificate{pair}, ServerName: f.ServerName,
	}, nil
}

// filed reads the files for every handshake: a rotated certificate is in force with the next connection.
type reloadingCredentials struct {
	credentials.TransportCredentials
	files TLSFiles
}

func (f TLSFiles) credentials() credentials.TransportCredentials {
	return reloadingCredentials{credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, ServerName: f.ServerName}), f}
}

func (f reloadingCredentials) Clone() credentials.TransportCredentials {
	return reloadingCredentials{f.TransportCredentials.Clone(), f.files}
}

func (f reloadingCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	loaded, err := f.files.read()
	if err != nil {
		return nil, nil, err
	}
	config, err := f.files.config(loaded)
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
}
