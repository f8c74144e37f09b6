package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/testservers"
)

// TestStoresOverTLS reaches both stores through TLS; not in the clear, and not behind a
// certificate that nobody signed.
func TestStoresOverTLS(t *testing.T) {
	binary, err := attune()
	if err != nil {
		t.Fatal(err)
	}
	authority, certificate := certificates(t)
	redis := encrypts(t, testservers.Redis(t), certificate)
	scylla := place{"--scylla", encrypts(t, testservers.CQL(t)[0], certificate), "--keyspace", testservers.KeyspaceName()}
	signed := slices.Concat(scylla, place{"--scylla-tls", "--stores-ca", authority})
	if out, err := run(t, slices.Concat(place{"migrate", "--replication", "1"}, signed)...); err != nil {
		t.Fatalf("migrate: %v: %s", err, out)
	}
	for want, where := range map[string]place{
		"certificate": slices.Concat(scylla, place{"--scylla-tls", "--redis", redis, "--redis-tls"}),
		"redis at":    slices.Concat(signed, place{"--redis", redis}),
		"scylla at":   slices.Concat(scylla, place{"--redis", redis, "--redis-tls"}),
	} {
		out, err := exec.Command(binary, slices.Concat(place{"verify"}, where)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("verify %v: %v, %s; want an error with %q", where, err, out, want)
		}
	}

	where := slices.Concat(signed, place{"--redis", redis, "--redis-tls"})
	s := serve(t, where)
	event := &attunev1.Event{EventId: "1", Type: "view_item", UserId: "ann", ItemId: "lamp", OccurredAt: timestamppb.Now()}
	if _, err := s.write(t, event); err != nil {
		t.Error(err)
	}
	if got := s.count(t, "ann"); got != 1 {
		t.Errorf("%d events counted, want 1", got)
	}
	s.stop(t)
	where.verifies(t, 1, 1)
}

// certificates makes a certificate for 127.0.0.1 that signs itself, and its file.
func certificates(t *testing.T) (file string, certificate tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// encrypts puts TLS in front of a server, and returns where.
func encrypts(t *testing.T, server string, certificate tls.Certificate) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				t.Error(err)
				return
			}
			for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
				open.Go(func() {
					_, _ = io.Copy(way[0], way[1]) // ends with either
					_, _ = way[0].Close(), way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // once
		open.Wait()
	})
	return listener.Addr().String()
}
