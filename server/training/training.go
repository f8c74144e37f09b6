// Package training answers the ModelService: it reads the history (dataset.go), lets
// model/cf evaluate and fit (train.go), saves the versions (versions.go) and holds the
// Snapshot in service (holder.go).
package training

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Source is where the history is read. store/history is one.
type Source interface {
	// Scan calls fn for every visitor's events, several times where that suits it, with
	// the visitor who owns them. It returns the first error of fn as it is. The events
	// are valid only during the call.
	Scan(ctx context.Context, fn func(owner event.Visitor, events []event.Event) error) error
}

// Store keeps versions, and the lease of the one training that may be under way.
type Store interface {
	store.Models
	store.Leases
}

// Config is what an operator may set of training. The zero Config is the default.
type Config struct {
	// Weights is the interest that one event of a type shows; cf.DefaultWeights where nil.
	Weights feedback.Weights
	// KeepModels is how many of the newest versions are kept, beside the one in service; 5 where 0.
	KeepModels int
}

// Options are what a Service is wired with. Now must not be nil.
type Options struct {
	Config
	Now func() time.Time
	// Logger takes what happens beside the answers; slog.Default where nil.
	Logger *slog.Logger
}

// Service is the ModelService. Its errors wrap the sentinels of model/event.
type Service struct {
	attunev1.UnimplementedModelServiceServer

	source  Source
	store   Store
	holder  *Holder
	options Options

	// activating is held while the version in service changes; wanted is the one that the
	// store named last, whether it could be read or not.
	activating sync.Mutex
	wanted     string
}

// New returns a Service that keeps its versions in a store and the one in service in
// holder. Load must be called before it serves.
func New(source Source, versions Store, holder *Holder, o Options) *Service {
	if o.Weights == nil {
		o.Weights = feedback.DefaultWeights()
	}
	if o.KeepModels <= 0 {
		o.KeepModels = 5
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Service{source: source, store: versions, holder: holder, options: o}
}
