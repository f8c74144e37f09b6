package server

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/server/wire"
)

const (
	// maxMessageBytes bounds one message, so that 10 MB of attributes still come in and are
	// refused under their name.
	maxMessageBytes = 16 << 20
	// streamWindowBytes and connWindowBytes are how much a client may send ahead.
	streamWindowBytes = 1 << 20
	connWindowBytes   = 4 << 20
	// bufferBytes is what one system call reads or writes of a connection.
	bufferBytes = 128 << 10
	// streamWorkers answer calls without growing a stack for each; more calls than that
	// have goroutines of their own.
	streamWorkers = 32
)

// services are all that is served.
type services struct {
	events   attunev1.EventServiceServer
	items    attunev1.CatalogServiceServer
	lists    attunev1.RecommendationServiceServer
	users    attunev1.UserServiceServer
	models   attunev1.ModelServiceServer
	segments attunev1.SegmentServiceServer
	webhooks attunev1.WebhookServiceServer
}

// newGRPC makes the gRPC server with every service, health and reflection.
func (s *Server) newGRPC(all services) {
	s.grpc = grpc.NewServer(
		grpc.ChainUnaryInterceptor(fault.Unary(s.logger)),
		grpc.ChainStreamInterceptor(fault.Stream(s.logger)),
		grpc.ForceServerCodecV2(wire.Codec()),
		grpc.WaitForHandlers(true), // the stores are closed after them
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.InitialWindowSize(streamWindowBytes),
		grpc.InitialConnWindowSize(connWindowBytes),
		grpc.ReadBufferSize(bufferBytes),
		grpc.WriteBufferSize(bufferBytes),
		grpc.ConnectionTimeout(headerTimeout),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
	)
	attunev1.RegisterEventServiceServer(s.grpc, all.events)
	attunev1.RegisterCatalogServiceServer(s.grpc, all.items)
	attunev1.RegisterRecommendationServiceServer(s.grpc, all.lists)
	attunev1.RegisterUserServiceServer(s.grpc, all.users)
	attunev1.RegisterModelServiceServer(s.grpc, all.models)
	attunev1.RegisterSegmentServiceServer(s.grpc, all.segments)
	attunev1.RegisterWebhookServiceServer(s.grpc, all.webhooks)
	s.health = health.NewServer()
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
	}
}
