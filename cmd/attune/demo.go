package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"google.golang.org/grpc/grpclog"
	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
)

// demoShown is the length of the demo's lists.
const demoShown = 5

type demoCmd struct {
	Dataset  string `help:"Shop to show: ${enum}. online-retail needs --file." enum:"small,online-retail" default:"small"`
	File     string `help:"File of the data set." type:"existingfile" placeholder:"FILE"`
	Seed     uint64 `help:"Same seed, same small shop." default:"1" placeholder:"N"`
	Visitors int    `help:"Visitors of the small shop, at least 30." default:"400" placeholder:"N"`
	Data     string `help:"Folder to keep the shop in; without it, one that is removed at the end." placeholder:"DIR"`
	GRPCAddr string `name:"grpc-addr" help:"Address of the gRPC services; a free port where it is taken." default:"127.0.0.1:9090" placeholder:"HOST:PORT"`
	HTTPAddr string `name:"http-addr" help:"Address of the REST routes; a free port where it is taken." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Exit     bool   `help:"End when everything is shown."`
}

// Run shows the whole way: a shop's events in through the public door, a model, lists and why.
func (c *demoCmd) Run(ctx context.Context, out io.Writer) (err error) {
	// What gRPC and the gateway would write by themselves is not part of the show.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	show, err := c.prepare()
	if err != nil {
		return err
	}
	dir := c.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "attune-demo-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	p := &printer{to: out}
	running, err := c.start(ctx, p, dir, show.end())
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, running.Close(closing))
	}()
	s, err := connect(running.GRPCAddr())
	if err != nil {
		return err
	}
	defer s.conn.Close()
	if err := c.present(ctx, p, s, show, running); err != nil {
		return s.failure(err)
	}
	if c.Exit || p.err != nil {
		return p.err
	}
	p.line("\nThe server stays up; Ctrl-C ends it.")
	<-ctx.Done()
	return p.err
}

// exhibit is a shop to show.
type exhibit interface {
	// end is when the shop's data end, where the server's clock starts.
	end() time.Time
	// load streams the shop in and says what became of it.
	load(ctx context.Context, p *printer, s *shopServer) error
	// lists prints what the trained server answers, and returns a user and an item to try.
	lists(ctx context.Context, p *printer, s *shopServer) (user, item string, err error)
}

func (c *demoCmd) prepare() (exhibit, error) {
	if c.Dataset == "online-retail" {
		if c.File == "" {
			return nil, errors.New("--dataset online-retail needs --file, the data set's CSV, plain or gzip'ed")
		}
		return newRetailExhibit(c.File)
	}
	if c.Visitors < 30 {
		return nil, fmt.Errorf("--visitors must be at least 30, is %d", c.Visitors)
	}
	return newSmallExhibit(c.Seed, c.Visitors), nil
}

// start starts the server, on free ports where those asked for are taken.
func (c *demoCmd) start(ctx context.Context, p *printer, dir string, now time.Time) (*server.Server, error) {
	config := server.Config{
		StoreConfig: server.StoreConfig{Data: dir, CacheMiB: 128},
		GRPCAddr:    c.GRPCAddr, HTTPAddr: c.HTTPAddr, Now: now,
		KeepModels: 5, DrainTimeout: 10 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	running, err := server.Start(ctx, config)
	if errors.Is(err, syscall.EADDRINUSE) {
		p.line("%s or %s is taken: free ports instead.", config.GRPCAddr, config.HTTPAddr)
		config.GRPCAddr, config.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
		running, err = server.Start(ctx, config)
	}
	if err != nil {
		return nil, err
	}
	p.line("ready grpc=%s http=%s", running.GRPCAddr(), running.HTTPAddr())
	p.line("The server's clock starts at %s, where the shop's data end.", now.Format(time.RFC3339))
	return running, nil
}

func (c *demoCmd) present(ctx context.Context, p *printer, s *shopServer, show exhibit, running *server.Server) error {
	if err := show.load(ctx, p, s); err != nil {
		return err
	}
	p.line("\nTraining")
	model, err := train(ctx, s, &attunev1.TrainRequest{Seed: 1}, os.Stderr)
	if err != nil {
		return err
	}
	printModel(p, model)
	user, item, err := show.lists(ctx, p, s)
	if err != nil {
		return err
	}
	printTries(p, running, user, item)
	return p.err
}

// printVisitor prints what a visitor did, what is recommended, and why.
func printVisitor(ctx context.Context, p *printer, s *shopServer, book *itemBook, userID, anonymousID string) error {
	user, err := s.users.GetUser(ctx, &attunev1.GetUserRequest{UserId: userID, AnonymousId: anonymousID})
	if err != nil {
		return err
	}
	did := ""
	for _, t := range user.GetTypes() {
		did += fmt.Sprintf(", %d %s", t.GetCounts().GetAll(), t.GetType())
	}
	p.line("  %s", did[min(2, len(did)):])
	p.line("  interest: %s", shares(user.GetCategoryAffinity()))
	p.line("  last:")
	var rows []string
	for _, r := range user.GetRecentItems()[:min(demoShown, len(user.GetRecentItems()))] {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s", r.GetOccurredAt().AsTime().Format(time.DateTime), r.GetType(), plain(book.item(ctx, r.GetItemId()).GetTitle())))
	}
	p.table("    ", rows)
	p.line("  recommended, without what was bought or is in the cart:")
	response, err := s.lists.Recommend(ctx, &attunev1.RecommendRequest{
		UserId: userID, AnonymousId: anonymousID, Limit: proto.Int32(demoShown), ExcludeBought: true, ExcludeInCart: true, Explain: true,
	})
	if err != nil {
		return err
	}
	book.list(ctx, p, "    ", response.GetItems())
	return p.err
}

// printTries prints commands to paste.
func printTries(p *printer, running *server.Server, user, item string) {
	rest, rpc := "http://"+running.HTTPAddr(), running.GRPCAddr()
	p.line(`
To paste
  curl '%[1]s/v1/users/%[3]s/recommendations?limit=5&explain=true'
  curl '%[1]s/v1/users/%[3]s'
  curl '%[1]s/v1/items/%[4]s/similar?limit=5'
  curl '%[1]s/v1/items/%[4]s/bought-together?limit=5'
  curl '%[1]s/v1/trending?window=604800s&limit=5'
  curl -X POST '%[1]s/v1/events:write' -d '{"events":[{"event_id":"try-1","type":"view_item","user_id":"%[3]s","item_id":"%[4]s"}]}'
  curl -X POST '%[1]s/v1/recommendations' -d '{"user_id":"%[3]s","limit":5,"filter":"item.price.minor_units < 3000"}'
  grpcurl -plaintext %[2]s list
  grpcurl -plaintext -d '{"user_id":"%[3]s","limit":5,"explain":true}' %[2]s attune.v1.RecommendationService/Recommend
  grpcurl -plaintext -d '{"item_id":"%[4]s","limit":5}' %[2]s attune.v1.RecommendationService/SimilarItems
  attune recommend --addr %[2]s %[3]s --explain
  open %[1]s/docs`, rest, rpc, user, item)
}
