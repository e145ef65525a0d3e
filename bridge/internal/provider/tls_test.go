package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

// authority is a CA.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority returns a CA with a new key.
func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{certificate, key}
}

// pem returns the CA's certificate.
func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// issue returns a certificate with that name for 127.0.0.1, and its key.
func (a *authority) issue(t *testing.T, name string) (certificate, key []byte) {
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, pair.Public(), a.key)
	require.NoError(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(pair)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// startTLSSidecar starts a sidecar that accepts only clients of the CA and returns the name in their certificate.
func startTLSSidecar(t *testing.T, clientCA *authority, change ...func(*tls.Config)) *fakesidecar.Sidecar {
	certificate, key := clientCA.issue(t, "provider.shop")
	pair, err := tls.X509KeyPair(certificate, key)
	require.NoError(t, err)
	clients := x509.NewCertPool()
	clients.AddCert(clientCA.certificate)
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	for _, change := range change {
		change(config)
	}
	s := fakesidecar.New(t)
	s.Address, s.Credentials = "127.0.0.1:0", credentials.NewTLS(config)
	s.OnRun = func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
		from, _ := peer.FromContext(ctx)
		client := from.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].Subject.CommonName
		return fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, client), nil
	}
	return s.Start(t)
}

// newTLSFiles writes the three files of a bridge with that name to a temporary directory.
func newTLSFiles(t *testing.T, serverCA, clientCA *authority, name string) TLSFiles {
	home := t.TempDir()
	files := TLSFiles{
		CA: filepath.Join(home, "ca.crt"), Cert: filepath.Join(home, "tls.crt"), Key: filepath.Join(home, "tls.key"),
	}
	files.write(t, serverCA, clientCA, name)
	return files
}

// write writes the files of a bridge with that name.
func (f TLSFiles) write(t *testing.T, serverCA, clientCA *authority, name string) {
	certificate, key := clientCA.issue(t, name)
	for path, text := range map[string][]byte{f.CA: serverCA.pem(), f.Cert: certificate, f.Key: key} {
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
}

// newTLSPlugin returns a plugin that uses TLS with the sidecar, and its log.
func newTLSPlugin(t *testing.T, sidecar *fakesidecar.Sidecar, files TLSFiles) (*Plugin, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	p, err := New(Options{
		Target: sidecar.Address, TLS: &files, OutageGrace: time.Minute, RunTimeout: 30 * time.Second, Version: "test",
	}, hclog.New(&hclog.LoggerOptions{Output: log, JSONFormat: true}))
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p, log
}

func TestMutualTLSValidCertificatesConnect(t *testing.T) {
	ca := newAuthority(t)
	p, log := newTLSPlugin(t, startTLSSidecar(t, ca), newTLSFiles(t, ca, ca, "bridge"))
	m := p.Run(nil, metric)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, m.Phase, m.Message)
	require.Equal(t, "bridge", m.Value)
	require.Empty(t, log.String())

	named := newTLSFiles(t, ca, ca, "bridge")
	named.ServerName = "provider.shop"
	p, _ = newTLSPlugin(t, startTLSSidecar(t, ca), named)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metric).Phase)
}

func TestMutualTLSUntrustedPeerReportsReason(t *testing.T) {
	ca, otherCA := newAuthority(t), newAuthority(t)
	misnamed := newTLSFiles(t, ca, ca, "bridge")
	misnamed.ServerName = "provider.elsewhere"
	old := func(config *tls.Config) { config.MaxVersion = tls.VersionTLS12 }
	for name, row := range map[string]struct {
		sidecar *fakesidecar.Sidecar
		files   TLSFiles
		cause   string
	}{
		"sidecar of another CA":     {startTLSSidecar(t, otherCA), newTLSFiles(t, ca, otherCA, "bridge"), "certificate signed by unknown authority"},
		"bridge of another CA":      {startTLSSidecar(t, ca), newTLSFiles(t, ca, otherCA, "bridge"), "Check that it is running"}, // the sidecar's alert may arrive or not
		"sidecar with another name": {startTLSSidecar(t, ca), misnamed, "not provider.elsewhere"},
		"sidecar with TLS 1.2":      {startTLSSidecar(t, ca, old), newTLSFiles(t, ca, ca, "bridge"), "protocol version not supported"},
		"sidecar without TLS":       {startReplica(t, "plain"), newTLSFiles(t, ca, ca, "bridge"), "first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newTLSPlugin(t, row.sidecar, row.files)
			m := p.Run(nil, metric)
			require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
			require.Contains(t, m.Message, "PROVIDER_UNAVAILABLE no connection to the sidecar at "+row.sidecar.Address)
			require.Contains(t, m.Message, row.cause)
			require.Contains(t, m.Message, "that it accepts --tls-ca, --tls-cert and --tls-key")
			require.Empty(t, fakesidecar.Received[any](row.sidecar, "Run"))
		})
	}
}

func TestTLSFileUnusableIsReportedWithFlagAndRetried(t *testing.T) {
	ca := newAuthority(t)
	sidecar := startTLSSidecar(t, ca)
	for name, row := range map[string]struct {
		spoil func(TLSFiles) error
		want  func(TLSFiles) string
	}{
		"missing": {
			func(f TLSFiles) error { return os.Remove(f.Key) },
			func(f TLSFiles) string { return "--tls-key " + f.Key + ": no such file or directory" },
		},
		"not PEM": {
			func(f TLSFiles) error { return os.WriteFile(f.CA, []byte("{}"), 0o600) },
			func(f TLSFiles) string { return "--tls-ca " + f.CA + ": contains no PEM certificate" },
		},
		"half replaced": {
			func(f TLSFiles) error {
				_, key := ca.issue(t, "another")
				return os.WriteFile(f.Key, key, 0o600)
			},
			func(f TLSFiles) string {
				return "--tls-cert " + f.Cert + ", --tls-key " + f.Key + ": tls: private key does not match"
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := newTLSFiles(t, ca, ca, "bridge")
			require.NoError(t, row.spoil(files))
			p, log := newTLSPlugin(t, sidecar, files)
			require.Contains(t, log.String(), row.want(files), "before the first measurement")
			require.Contains(t, p.Run(nil, metric).Message, row.want(files))
			files.write(t, ca, ca, "bridge")
			require.Eventually(t, func() bool { return p.Run(nil, metric).Value == "bridge" }, 30*time.Second, 50*time.Millisecond)
		})
	}
}

func TestTLSFilesRotatedLosesNoCall(t *testing.T) {
	ca := newAuthority(t)
	sidecar := startTLSSidecar(t, ca)
	files := newTLSFiles(t, ca, ca, "before")
	p, log := newTLSPlugin(t, sidecar, files)
	slow := p.sidecar.conn.(*reloadingConn)
	slow.stop()
	fast, err := newReloadingConn(slow.dial, files, 20*time.Millisecond, 2*time.Second, p.log)
	require.NoError(t, err)
	p.sidecar.conn, p.sidecar.client = fast, contractv1.NewMetricProviderClient(fast)

	end := startLoad(t, p)
	require.Eventually(t, func() bool { return p.Run(nil, metric).Value == "before" }, 30*time.Second, time.Millisecond)
	files.write(t, newAuthority(t), ca, "with-another-ca")
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "changed TLS files not in use yet") }, 30*time.Second, time.Millisecond)
	require.Equal(t, "before", p.Run(nil, metric).Value)
	files.write(t, ca, ca, "after")
	require.Eventually(t, func() bool { return p.Run(nil, metric).Value == "after" }, 30*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return sidecar.Connections() == 1 }, 30*time.Second, time.Millisecond, "the old connection is closed")
	end()
	require.Contains(t, log.String(), "changed TLS files in use")
}
