package server

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
)

// maxRetention bounds --retention, in months.
const maxRetention = 1200

// Config is all that an operator may set of a server. Its fields are the flags of attune
// serve, the ATTUNE_ variables and the keys of the configuration file.
type Config struct {
	StoreConfig   `embed:""`
	HistoryConfig `embed:""`

	// GRPCAddr and HTTPAddr are the addresses to listen on; port 0 takes a free one.
	GRPCAddr string `name:"grpc-addr" help:"Address of the gRPC services; port 0 takes a free one." default:"127.0.0.1:9090" placeholder:"HOST:PORT"`
	HTTPAddr string `name:"http-addr" help:"Address of the REST routes; port 0 takes a free one." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	// Now is where the server's clock starts; it runs on from there. Zero is the machine's time.
	Now time.Time `help:"Start the clock at this time (RFC 3339), so that the windows of old data mean something." placeholder:"TIME"`
	// KeepModels is how many trained versions are kept; 0 is 5.
	KeepModels int `help:"Trained versions kept." default:"5" placeholder:"N"`
	// WebhookAllowPrivate lets webhooks reach loopback and private addresses, the first without TLS.
	WebhookAllowPrivate bool `help:"Let webhooks reach loopback and private addresses, and loopback over http."`
	// DrainTimeout bounds how long calls under way may take at the end.
	DrainTimeout time.Duration `help:"Time that calls under way have when the server ends." default:"10s" placeholder:"TIME"`
	LogLevel     slog.Level    `help:"Least level logged: debug, info, warn or error." default:"info" placeholder:"LEVEL"`

	// Clock replaces the one that Now starts.
	Clock func() time.Time `kong:"-"`
	// Logger replaces the one that logs to the standard error output.
	Logger *slog.Logger `kong:"-"`
}

// HistoryConfig says what events count for. Who reads the same history needs the same.
type HistoryConfig struct {
	// Retention is the number of whole months that events are kept beside the current one; 0 is for good.
	Retention int `help:"Months after which events expire; 0 keeps them for good." default:"0" placeholder:"MONTHS"`
	// Weights change how much interest an event of a type shows; cf.DefaultWeights for the others.
	Weights map[string]float64 `help:"Interest that one event of a type shows, as in view_item=1;purchase=5." placeholder:"TYPE=WEIGHT"`
}

// clock returns the clock that the configuration asks for.
func (c *Config) clock() func() time.Time {
	switch {
	case c.Clock != nil:
		return c.Clock
	case c.Now.IsZero():
		return time.Now
	}
	start, began := c.Now, time.Now()
	return func() time.Time { return start.Add(time.Since(began)) }
}

// check names the first setting that cannot be.
func (c *Config) check() error {
	if err := c.StoreConfig.check(); err != nil {
		return err
	}
	if err := c.HistoryConfig.check(); err != nil {
		return err
	}
	if c.KeepModels < 0 {
		return fmt.Errorf("--keep-models must not be negative, is %d", c.KeepModels)
	}
	return nil
}

// check names the first setting that cannot be.
func (c *HistoryConfig) check() error {
	if c.Retention < 0 || c.Retention > maxRetention {
		return fmt.Errorf("--retention must be 0..%d months, is %d", maxRetention, c.Retention)
	}
	for name, weight := range c.Weights {
		if math.IsNaN(weight) || math.IsInf(weight, 0) {
			return fmt.Errorf("--weights %s must be a finite number", name)
		}
	}
	return nil
}

// logger returns the one given, else one that writes text to the standard error output.
func (c *Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
}

// weights returns cf.DefaultWeights with what the configuration changes.
func (c *HistoryConfig) weights() feedback.Weights {
	weights := maps.Clone(feedback.DefaultWeights())
	for name, weight := range c.Weights {
		weights[event.Canonical(name)] = weight
	}
	return weights
}
