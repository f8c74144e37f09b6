package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/protobuf/proto"

	"github.com/attune-shop/attune/cmd/attune/internal/feed"
	"github.com/attune-shop/attune/cmd/attune/internal/shop"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
)

type demoCmd struct {
	Data     string `help:"Folder to keep the shop in; a temporary one where empty." placeholder:"DIR"`
	Visitors int    `help:"Visitors of the small shop." default:"400"`
	Seed     uint64 `help:"Same seed, same shop." default:"1"`
	GRPCAddr string `name:"grpc-addr" help:"Address of the gRPC services." default:"127.0.0.1:9090" placeholder:"HOST:PORT"`
	HTTPAddr string `name:"http-addr" help:"Address of the REST routes." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Exit     bool   `help:"End when everything is shown."`
}

// Run shows the whole way: a shop's events in through the door, a model, lists and why.
func (c *demoCmd) Run(ctx context.Context, out io.Writer) (err error) {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	dir := c.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "attune-demo-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	running, err := c.start(ctx, out, dir, shop.Default().Until)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, running.Close(closing))
	}()
	conn, err := dial(running.GRPCAddr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.small(ctx, out, conn, running); err != nil {
		return plain(err)
	}
	if c.Exit {
		return nil
	}
	fmt.Fprintf(out, "\nThe server stays up; end it with Ctrl-C.\n")
	<-ctx.Done()
	return nil
}

// start starts the server, on free ports where the usual ones are taken.
func (c *demoCmd) start(ctx context.Context, out io.Writer, dir string, end time.Time) (*server.Server, error) {
	config := server.Config{
		Data: dir, GRPCAddr: c.GRPCAddr, HTTPAddr: c.HTTPAddr, Now: end, CacheMiB: 128, KeepModels: 5, DrainTimeout: 10 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	running, err := server.Start(ctx, config)
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintf(out, "%s or %s is taken; free ports instead.\n", config.GRPCAddr, config.HTTPAddr)
		config.GRPCAddr, config.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
		running, err = server.Start(ctx, config)
	}
	if err == nil {
		fmt.Fprintf(out, "ready grpc=%s http=%s\n", running.GRPCAddr(), running.HTTPAddr())
	}
	return running, err
}

func (c *demoCmd) small(ctx context.Context, out io.Writer, conn *grpc.ClientConn, running *server.Server) error {
	options := shop.Default()
	options.Seed, options.Visitors = c.Seed, c.Visitors
	small := shop.Make(options)
	if _, err := attunev1.NewCatalogServiceClient(conn).UpsertItems(ctx, &attunev1.UpsertItemsRequest{Items: small.Items}); err != nil {
		return err
	}
	began := time.Now()
	counts := map[attunev1.EventStatus]int{}
	rest := small.Events
	err := feed.Send(ctx, attunev1.NewEventServiceClient(conn), func() (feed.Batch, error) {
		if len(rest) == 0 {
			return feed.Batch{}, io.EOF
		}
		n := min(500, len(rest))
		batch := feed.Batch{Events: rest[:n]}
		rest = rest[n:]
		return batch, nil
	}, func(_ feed.Batch, results []*attunev1.EventResult) {
		for _, r := range results {
			counts[r.GetStatus()]++
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d items and %d events of %d days: %d accepted, %d duplicate, %d rejected, in %v\n\nTraining\n", len(small.Items), len(small.Events), options.Days,
		counts[attunev1.EventStatus_ACCEPTED], counts[attunev1.EventStatus_DUPLICATE], counts[attunev1.EventStatus_REJECTED], time.Since(began).Round(time.Millisecond))
	if err := showTraining(ctx, conn, &attunev1.TrainRequest{Seed: 1}, out); err != nil {
		return err
	}
	for _, person := range small.People[:min(3, len(small.People))] {
		fmt.Fprintf(out, "\n%s%s, who likes %s\n", person.UserID, anonymousOnly(person), strings.Join(person.Favourites, ", "))
		request := &attunev1.RecommendRequest{UserId: person.UserID, AnonymousId: anonymousOnly(person)}
		if err := showVisitor(ctx, conn, out, request); err != nil {
			return err
		}
	}
	return showCommands(out, running, small.People[0].UserID, small.Items[0].GetItemId())
}

// anonymousOnly is the anonymous id of a person who never logs in.
func anonymousOnly(person shop.Person) string {
	if person.UserID != "" {
		return ""
	}
	return person.AnonymousID
}

// showVisitor writes what a visitor did last and what is recommended, with the reasons.
func showVisitor(ctx context.Context, conn *grpc.ClientConn, out io.Writer, request *attunev1.RecommendRequest) error {
	user, err := attunev1.NewUserServiceClient(conn).GetUser(ctx, &attunev1.GetUserRequest{UserId: request.GetUserId(), AnonymousId: request.GetAnonymousId()})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  last:")
	for _, item := range user.GetRecentItems()[:min(4, len(user.GetRecentItems()))] {
		fmt.Fprintf(out, " %s (%s)", item.GetItemId(), item.GetType())
	}
	fmt.Fprintln(out)
	request.Limit, request.ExcludeBought, request.Explain = proto.Int32(5), true, true
	list, err := attunev1.NewRecommendationServiceClient(conn).Recommend(ctx, request)
	if err != nil {
		return err
	}
	return showList(ctx, conn, out, list)
}

// showCommands writes commands to paste.
func showCommands(out io.Writer, running *server.Server, user, item string) error {
	rest, rpc := "http://"+running.HTTPAddr(), running.GRPCAddr()
	_, err := fmt.Fprintf(out, `
Try
  curl '%[1]s/v1/users/%[3]s/recommendations?limit=5&explain=true'
  curl '%[1]s/v1/users/%[3]s'
  curl '%[1]s/v1/items/%[4]s/similar?limit=5'
  curl '%[1]s/v1/trending?limit=5'
  curl -X POST '%[1]s/v1/events:write' -d '{"events":[{"event_id":"try-1","type":"view_item","user_id":"%[3]s","item_id":"%[4]s"}]}'
  grpcurl -plaintext %[2]s list
  grpcurl -plaintext -d '{"user_id":"%[3]s","limit":5,"filter":"item.price.minor_units < 3000"}' %[2]s attune.v1.RecommendationService/Recommend
  attune recommend --addr %[2]s %[3]s --explain
`, rest, rpc, user, item)
	return err
}
