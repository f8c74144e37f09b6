// Package server wires Attune together: the stores, what is read from them, a service a
// package, and the two doors, gRPC (grpc.go) and REST (gateway.go, rest.go).
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/test/bufconn"

	"github.com/attune-shop/attune/server/catalog"
	"github.com/attune-shop/attune/server/ingest"
	"github.com/attune-shop/attune/server/recommend"
	"github.com/attune-shop/attune/server/retention"
	"github.com/attune-shop/attune/server/training"
	"github.com/attune-shop/attune/server/user"
	"github.com/attune-shop/attune/store/history"
)

// Server is a running Attune.
type Server struct {
	logger   *slog.Logger
	grpc     *grpc.Server
	http     *http.Server
	health   *health.Server
	events   *ingest.Service
	grpcAddr net.Addr
	httpAddr net.Addr
	conns    *connTracker
	// failed receives the error of a door that stopped by itself.
	failed chan error
	// closing undoes what was opened, the last first.
	closing []func() error
}

// Start opens the stores and serves until Close. When it returns, both doors are open.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s := &Server{logger: cfg.logger(), failed: make(chan error, 3)}
	if err := s.start(ctx, &cfg); err != nil {
		return nil, errors.Join(err, s.undo())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, cfg *Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	now, logger, weights := cfg.clock(), s.logger, cfg.weights()

	stores, err := cfg.open(ctx, logger)
	if err != nil {
		return err
	}
	s.closing = append(s.closing, stores.Close)
	past, err := history.Open(ctx, stores, history.Options{Now: now, Logger: logger})
	if err != nil {
		return fmt.Errorf("open the history: %w", err)
	}
	s.closing = append(s.closing, past.Close)
	kept := retention.New(past, cfg.Retention, now)

	shelf, err := catalog.OpenShelf(ctx, stores, logger)
	if err != nil {
		return fmt.Errorf("load the catalog: %w", err)
	}
	s.closing = append(s.closing, shelf.Close)
	holder := &training.Holder{}
	models := training.New(kept, stores, holder, training.Options{
		Config: training.Config{Weights: weights, KeepModels: cfg.KeepModels}, Now: now, Logger: logger,
	})
	if err := models.Load(ctx); err != nil {
		return fmt.Errorf("load the model: %w", err)
	}
	if stores.Shared() {
		s.background(ctx, models.Follow)
	}
	trends, err := recommend.OpenTrends(ctx, past, stores, weights, now, logger)
	if err != nil {
		return err
	}
	s.closing = append(s.closing, trends.Close)
	segments, book, err := s.openSegments(ctx, cfg, stores, past, kept, shelf)
	if err != nil {
		return err
	}
	lists, err := recommend.New(recommend.Options{
		People: kept, Shelf: shelf, Models: holder, Trends: trends, Weights: weights, Segments: segments.Of, Now: now, Random: rand.Reader, Logger: logger,
	})
	if err != nil {
		return err
	}
	s.closing = append(s.closing, func() error { lists.Close(); return nil })
	s.events = ingest.New(ingest.Options{History: past, Rejected: stores, Now: now, RetentionMonths: cfg.Retention})
	s.closing = append(s.closing, func() error { s.events.Close(); return nil })

	s.newGRPC(services{
		events: s.events, items: catalog.New(shelf), lists: lists, models: models, segments: segments, webhooks: s.openWebhooks(ctx, cfg, stores, book),
		users: user.New(user.Options{People: kept, Catalog: shelf, Weights: weights, Now: now}),
	})
	s.closing = append(s.closing, func() error { s.grpc.Stop(); return nil })
	return s.listen(ctx, cfg)
}

// background runs a function until the server closes.
func (s *Server) background(ctx context.Context, run func(context.Context)) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(running)
	}()
	s.closing = append(s.closing, func() error { stop(); <-ended; return nil })
}

// listen opens both doors; the gateway reaches the services through memory.
func (s *Server) listen(ctx context.Context, cfg *Config) error {
	var listening net.ListenConfig
	grpcDoor, err := listening.Listen(ctx, "tcp", cfg.GRPCAddr)
	if err != nil {
		return fmt.Errorf("listen for gRPC: %w", err)
	}
	s.grpcAddr = grpcDoor.Addr()
	inside := bufconn.Listen(1 << 20)
	s.conns = newConnTracker(grpcDoor)
	for _, door := range []net.Listener{s.conns, inside} {
		go func() { s.stopped(s.grpc.Serve(door)) }()
	}
	httpDoor, err := listening.Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	s.httpAddr = httpDoor.Addr()
	gateway, conn, err := newGateway(ctx, inside)
	if err != nil {
		return errors.Join(fmt.Errorf("REST routes: %w", err), httpDoor.Close())
	}
	s.closing = append(s.closing, conn.Close)
	s.http = s.newHTTP(gateway)
	s.closing = append(s.closing, s.http.Close)
	go func() { s.stopped(s.http.Serve(httpDoor)) }()
	return nil
}

func (s *Server) stopped(err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
		s.failed <- err
	}
}

// GRPCAddr returns the address of the gRPC services, as HOST:PORT.
func (s *Server) GRPCAddr() string { return s.grpcAddr.String() }

// HTTPAddr returns the address of the REST routes, as HOST:PORT.
func (s *Server) HTTPAddr() string { return s.httpAddr.String() }

// Close takes no new calls, lets those under way end until ctx does, and closes the stores.
func (s *Server) Close(ctx context.Context) error {
	s.health.Shutdown()
	s.events.Drain()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.http.Shutdown(ctx) // what is left is cut off below
		s.grpc.GracefulStop()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		s.logger.Warn("calls under way are cut off")
		_ = s.http.Close() // its listener is closed already
		s.conns.closeAll() // gRPC waits for handshakes that never end
		s.grpc.Stop()
		<-ended
	}
	return s.undo()
}

func (s *Server) undo() error {
	var errs []error
	for _, undo := range slices.Backward(s.closing) {
		errs = append(errs, undo())
	}
	s.closing = nil
	return errors.Join(errs...)
}

// Run serves until ctx ends, and then for as long as calls under way take, within
// cfg.DrainTimeout. It writes one line to out when it is ready.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	s, err := Start(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(out, "ready grpc=%s http=%s\n", s.GRPCAddr(), s.HTTPAddr()); err == nil {
		select {
		case <-ctx.Done():
		case err = <-s.failed:
		}
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainTimeout)
	defer cancel()
	return errors.Join(err, s.Close(closing))
}
