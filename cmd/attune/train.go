package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type trainCmd struct {
	Algorithm     string        `help:"Algorithm: ${enum}; auto tries those that fit the catalog and keeps the best." enum:"auto,ease,spectral,als,item_knn,popularity,blend" default:"auto"`
	Seed          int64         `help:"Same history, same seed, same model." default:"1" placeholder:"N"`
	Budget        time.Duration `help:"How long the choice of algorithm and settings may take on a small server, by an estimate: what is too much is not tried." default:"10m" placeholder:"DURATION"`
	KeepActive    bool          `help:"Leave the model in service as it is." xor:"activation"`
	ActivateWorse bool          `help:"Put the new model in service even where it is worse than the one there beyond noise." xor:"activation"`
	Objective     string        `help:"What the lists are for: ${enum}. new-items is what visitors choose anew later, next-item what comes next in a visit, last-item the one thing chosen last, other-items what else a visitor likes." enum:"new-items,next-item,last-item,other-items" default:"new-items"`
	Limit         int32         `help:"Length of the lists that algorithms are compared by, 1 to 500." default:"10" placeholder:"N"`
	IncludeSeen   bool          `help:"Let what the visitor knows into the lists that algorithms are compared by."`
	remote
}

// objectives by their names on the command line.
var objectives = map[string]attunev1.Objective{
	"new-items": attunev1.Objective_NEW_ITEMS, "next-item": attunev1.Objective_NEXT_ITEM,
	"last-item": attunev1.Objective_LAST_ITEM, "other-items": attunev1.Objective_OTHER_ITEMS,
}

// Run trains and prints what each algorithm reached.
func (c *trainCmd) Run(ctx context.Context, out io.Writer) error {
	request := &attunev1.TrainRequest{
		Algorithm: c.Algorithm, Seed: c.Seed, Budget: durationpb.New(c.Budget),
		KeepActive: c.KeepActive, ActivateWorse: c.ActivateWorse,
		Objective: objectives[c.Objective], Limit: c.Limit, IncludeSeen: c.IncludeSeen,
	}
	return c.talk(ctx, func(ctx context.Context, s *shopServer) error {
		model, err := train(ctx, s, request, os.Stderr)
		if err != nil {
			return err
		}
		return c.show(out, model)
	})
}

// train trains and shows its phases on progress, each with the time that is left, and in the
// end whether the model is in service: over each other on a terminal, else only the end of
// each, and how far it is now and then.
func train(ctx context.Context, server *shopServer, request *attunev1.TrainRequest, progress *os.File) (*attunev1.Model, error) {
	show := phases{out: progress, over: term.IsTerminal(int(progress.Fd()))}
	defer show.end()
	return trainTelling(ctx, server, request, func(response *attunev1.TrainResponse) {
		show.show(response)
		if response.GetModel() != nil {
			show.say(plain(response.GetMessage()))
		}
	})
}

// trainTelling trains and hands on what the server tells meanwhile.
func trainTelling(ctx context.Context, server *shopServer, request *attunev1.TrainRequest, tell func(*attunev1.TrainResponse)) (*attunev1.Model, error) {
	stream, err := server.models.Train(ctx, request)
	if err != nil {
		return nil, err
	}
	var model *attunev1.Model
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		tell(response)
		if response.GetModel() != nil {
			model = response.GetModel()
		}
	}
	if model == nil {
		return nil, errors.New("the server ended the training without a model")
	}
	return model, nil
}

// phases shows how far a training is.
type phases struct {
	out  io.Writer
	over bool
	open bool
	// phase is the one under way, since started; last is when something was shown.
	phase         attunev1.TrainPhase
	started, last time.Time
}

func (s *phases) show(r *attunev1.TrainResponse) {
	now := time.Now()
	if s.phase != r.GetPhase() || s.started.IsZero() {
		s.phase, s.started, s.last = r.GetPhase(), now, now
	}
	lasting := r.GetProgress() >= 1 || r.GetEvaluation() != nil
	due := s.over || lasting || now.Sub(s.last) >= progressEvery
	if !due || r.GetPhase() == attunev1.TrainPhase_DONE {
		return
	}
	s.last = now
	text := fmt.Sprintf("%-13s %3.0f%%  %s", phaseName(r.GetPhase()), 100*r.GetProgress(), plain(r.GetMessage()))
	if took := now.Sub(s.started); !lasting && r.GetProgress() > 0 && took >= estimateAfter {
		text += fmt.Sprintf(", %s left", timeLeft(took, r.GetProgress()))
	}
	if r.GetEvaluation() != nil {
		text = fmt.Sprintf("%-13s       %s", phaseName(r.GetPhase()), plain(r.GetMessage()))
	}
	if s.over {
		s.wipe()
	}
	_, _ = fmt.Fprint(s.out, text) // showing is not worth an error
	if s.open = s.over && !lasting; !s.open {
		_, _ = fmt.Fprintln(s.out)
	}
}

// say shows a line of its own.
func (s *phases) say(text string) {
	s.wipe()
	_, _ = fmt.Fprintln(s.out, text)
}

func (s *phases) wipe() {
	if s.open {
		_, _ = fmt.Fprint(s.out, "\r\x1b[K")
		s.open = false
	}
}

func (s *phases) end() { s.wipe() }

func phaseName(phase attunev1.TrainPhase) string {
	return strings.ReplaceAll(strings.ToLower(phase.String()), "_", " ")
}

// printModel prints a model and its metrics, an algorithm a row.
func printModel(p *printer, m *attunev1.Model) {
	state := inService(m)
	if state != "" {
		state = ", " + state
	}
	p.line("model %s: %s of %s interactions, %s users, %s items, %s bytes%s", m.GetVersion(), m.GetAlgorithm(), thousands(m.GetInteractions()),
		thousands(m.GetUsers()), thousands(m.GetItems()), thousands(m.GetSizeBytes()), state)
	if m.GetChoice() != "" {
		p.line("%s", m.GetChoice())
	}
	if len(m.GetEvaluations()) == 0 {
		return
	}
	names := map[string]bool{}
	for _, e := range m.GetEvaluations() {
		for name := range e.GetMetrics() {
			names[name] = true
		}
	}
	metrics := slices.Sorted(maps.Keys(names))
	rows := []string{"algorithm\t" + strings.Join(metrics, "\t") + "\tusers\tfit\tsettings"}
	for _, e := range m.GetEvaluations() {
		row := e.GetAlgorithm()
		for _, name := range metrics {
			row += fmt.Sprintf("\t%.4f", e.GetMetrics()[name])
		}
		rows = append(rows, row+fmt.Sprintf("\t%d\t%.2f s\t%s", e.GetUsers(), e.GetFitSeconds(), settingsOf(e)))
	}
	p.table("  ", rows)
}

// settingsOf lists what an algorithm was fitted with.
func settingsOf(e *attunev1.Evaluation) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(e.GetSettings())) {
		all = append(all, fmt.Sprintf("%s %g", plain(name), e.GetSettings()[name]))
	}
	return strings.Join(all, ", ")
}
