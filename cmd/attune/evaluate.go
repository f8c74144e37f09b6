package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/attune-shop/attune/cmd/attune/internal/datasets"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/eval"
)

// sharedData is where data sets are looked for without --data.
const sharedData = "../shared/data"

// csvDataset is the data set that its own flags describe.
const csvDataset = "csv"

type evaluateCmd struct {
	Dataset string `help:"Data set: ${enum}." enum:"ml100k,gowalla,yoochoose64,retailrocket,csv" required:"" placeholder:"NAME"`
	// Data has a variable of its own, for ATTUNE_DATA is the folder of a server's state.
	Data      string `help:"Folder that holds the data sets' folders, or the files of csv; ../shared/data where that is." env:"ATTUNE_DATASETS" placeholder:"DIR"`
	Algorithm string `help:"Algorithm: auto, ease, spectral, als, item_knn, popularity or blend. Without it auto, for retailrocket beside item_knn and als." placeholder:"NAME"`
	Seed      int64  `help:"Same data, same seed, same figures." default:"1" placeholder:"N"`

	Served bool `help:"Add a row of what a server of its own answers once the data were streamed in: the path of a shop's requests, held against the first row."`

	CSV csvFlags `embed:"" group:"Flags of --dataset csv:"`
	form
}

// Help says what is below the flags.
func (evaluateCmd) Help() string {
	return "Trains as a shop's training does and prints the published table of the data set with Attune's rows in it. " +
		"fit is the time of choosing and fitting together; peak memory is the most that was resident meanwhile, the data included. " +
		"Files are plain or gzip'ed. Tables are parted by commas, tabs or spaces and have a header of user, item and maybe time, " +
		"weight or event, or rating or event, or else the columns user, item; user, item, time; or user, item, rating, time. " +
		"--served makes an event of each interaction, by its weight a view, a wish, a cart or a purchase; ratings have no such event, and count as a view in all rows."
}

// evaluated is what an evaluation prints.
type evaluated struct {
	Rows []evaluatedRow `json:"rows"`
	set  *datasets.Set
	// notes say what was chosen, and what is not in the table.
	notes []string
}

// evaluatedRow is one model's.
type evaluatedRow struct {
	Model string `json:"model"`
	// Source is "attune", "published" or "recomputed".
	Source  string             `json:"source"`
	Metrics map[string]float64 `json:"metrics"`
	// FitSeconds and PeakBytes are null where they are not known.
	FitSeconds *float64 `json:"fit_seconds"`
	PeakBytes  *int64   `json:"peak_bytes"`
	// Intervals hold the means of as good a test with a confidence of 95 %.
	Intervals map[string][2]float64 `json:"intervals,omitempty"`
	measured  *eval.Measurement
}

// Run reads the data set, trains each row's algorithm, and prints the table.
func (c *evaluateCmd) Run(ctx context.Context, out io.Writer) error {
	if err := (cf.Options{Algorithm: c.Algorithm}).Validate(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	set, err := c.open()
	if err != nil {
		return err
	}
	done := &evaluated{set: set}
	if c.Served && set.Count() {
		done.notes = append(done.notes, "Ratings count as a view each, in all of Attune's rows: an event has no rating.")
	}
	if err := c.measure(ctx, done); err != nil {
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		return err
	}
	if set.Intervals {
		done.compare(c.Seed)
	}
	done.addPublished()
	return done.print(out, c.Output)
}

// measure makes Attune's rows.
func (c *evaluateCmd) measure(ctx context.Context, done *evaluated) error {
	type measuring struct {
		name, algorithm string
		row             func(context.Context, *datasets.Set, string, cf.Progress) (evaluatedRow, string, error)
	}
	var rows []measuring
	for n, algorithm := range c.algorithms(done.set) {
		rows = append(rows, measuring{algorithm, algorithm, c.evaluate})
		if c.Served && n == 0 {
			rows = append(rows, measuring{algorithm + ", served", algorithm, c.serve})
		}
	}
	bar := newSteps()
	defer bar.end()
	for n, r := range rows {
		row, note, err := r.row(ctx, done.set, r.algorithm, func(share float64, message string) {
			bar.show((float64(n)+share)/float64(len(rows)), r.name+": "+message)
		})
		if err != nil {
			return err
		}
		row.Model = r.name
		if done.set.Intervals {
			row.addIntervals(done.set, c.Seed)
		}
		done.Rows, done.notes = append(done.Rows, row), append(done.notes, r.name+": "+note)
	}
	return nil
}

// algorithms are those that get a row. Popularity always does: it is what the others have to
// be better than.
func (c *evaluateCmd) algorithms(set *datasets.Set) []string {
	all := set.Algorithms
	if c.Algorithm != "" || len(all) == 0 {
		all = []string{c.Algorithm}
		if c.Algorithm == "" {
			all[0] = cf.Auto
		}
	}
	if !slices.Contains(all, cf.Popularity) {
		all = append(all, cf.Popularity)
	}
	return all
}

// open reads the data set.
func (c *evaluateCmd) open() (*datasets.Set, error) {
	if c.Dataset == csvDataset {
		files, err := c.CSV.files(c.Data)
		if err != nil {
			return nil, err
		}
		return datasets.OpenCSV(files)
	}
	if flag := c.CSV.given(); flag != "" {
		return nil, fmt.Errorf("--%s is for --dataset csv; the protocol of %s is the published one", flag, c.Dataset)
	}
	dir := c.Data
	if dir == "" {
		dir = sharedData
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("--data must name the folder of the data sets, for there is no %s", sharedData)
		}
	}
	set, err := datasets.Open(c.Dataset, dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("--data: %w", err)
	}
	return set, err
}

// evaluate trains as a shop's training does, and measures what the model serves.
func (c *evaluateCmd) evaluate(ctx context.Context, set *datasets.Set, algorithm string, tell cf.Progress) (evaluatedRow, string, error) {
	options := cf.Options{Algorithm: algorithm, Seed: c.Seed, Protocol: set.Protocol, Now: time.Now}
	part := func(from, to float64) cf.Progress {
		return func(share float64, message string) { tell(from+(to-from)*share, message) }
	}
	debug.FreeOSMemory() // what the row before left over is not of this one
	peak := startPeak()
	started := time.Now()
	train := set.Train
	if algorithm == cf.Popularity && set.Counted != nil {
		train = set.Counted
	}
	plan, err := cf.Evaluate(ctx, train, options, part(0, .6))
	if err != nil {
		return evaluatedRow{}, "", err
	}
	chosen := time.Now()
	snapshot, err := cf.Fit(ctx, train, plan, options, part(.6, .9))
	if err != nil {
		return evaluatedRow{}, "", err
	}
	fitted := time.Now()
	seconds := fitted.Sub(started).Seconds()
	row := evaluatedRow{Source: "attune", FitSeconds: &seconds, PeakBytes: peak.bytes()}
	row.measured, err = eval.Measure(ctx, snapshot, set.Cases, set.Protocol, 0, func(share float64) { tell(.9+.1*share, "lists") })
	if err != nil {
		return evaluatedRow{}, "", err
	}
	row.Metrics = row.measured.Metrics
	choice := fmt.Sprintf("%s Chosen in %.1f s, fitted in %.1f s.", plan.Choice, chosen.Sub(started).Seconds(), fitted.Sub(chosen).Seconds())
	return row, choice, nil
}

func (r *evaluatedRow) addIntervals(set *datasets.Set, seed int64) {
	r.Intervals = map[string][2]float64{}
	for _, metric := range set.Metrics {
		x := eval.Bootstrap(r.measured.Values(metric), seed)
		r.Intervals[metric.At(set.Protocol.K)] = [2]float64{x.Low, x.High}
	}
}
