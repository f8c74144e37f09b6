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

	"golang.org/x/term"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type trainCmd struct {
	Algorithm   string `help:"Algorithm: ${enum}; auto tries those that fit the catalog and keeps the best." enum:"auto,ease,als,item_knn,popularity" default:"auto"`
	Seed        int64  `help:"Same history, same seed, same model." default:"1" placeholder:"N"`
	KeepActive  bool   `help:"Leave the model in service as it is."`
	Objective   string `help:"What the lists are for: ${enum}. new-items is what visitors choose anew later, next-item what comes next in a visit, last-item the one thing chosen last, other-items what else a visitor likes." enum:"new-items,next-item,last-item,other-items" default:"new-items"`
	Limit       int32  `help:"Length of the lists that algorithms are compared by, 1 to 500." default:"10" placeholder:"N"`
	IncludeSeen bool   `help:"Let what the visitor knows into the lists that algorithms are compared by."`
	remote
}

// objectives by their names on the command line.
var objectives = map[string]attunev1.Objective{
	"new-items": attunev1.Objective_NEW_ITEMS, "next-item": attunev1.Objective_NEXT_ITEM,
	"last-item": attunev1.Objective_LAST_ITEM, "other-items": attunev1.Objective_OTHER_ITEMS,
}

// Run trains and prints what each algorithm reached.
func (c *trainCmd) Run(ctx context.Context, out io.Writer) error {
	server, err := connect(c.Addr)
	if err != nil {
		return err
	}
	defer server.conn.Close()
	model, err := train(ctx, server, &attunev1.TrainRequest{
		Algorithm: c.Algorithm, Seed: c.Seed, KeepActive: c.KeepActive,
		Objective: objectives[c.Objective], Limit: c.Limit, IncludeSeen: c.IncludeSeen,
	}, os.Stderr)
	if err != nil {
		return server.failure(err)
	}
	if c.Output == "json" {
		return printJSON(out, model)
	}
	p := &printer{to: out}
	printModel(p, model)
	return p.err
}

// train trains and shows its phases on progress: over each other on a terminal, else only
// the beginning and the end of each.
func train(ctx context.Context, server *shopServer, request *attunev1.TrainRequest, progress *os.File) (*attunev1.Model, error) {
	show := phases{out: progress, over: term.IsTerminal(int(progress.Fd()))}
	defer show.end()
	return trainTelling(ctx, server, request, show.show)
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
}

func (s *phases) show(r *attunev1.TrainResponse) {
	lasting := r.GetProgress() >= 1 || r.GetEvaluation() != nil
	if !s.over && !lasting || r.GetPhase() == attunev1.TrainPhase_DONE {
		return
	}
	text := fmt.Sprintf("%-13s %3.0f%%  %s", phaseName(r.GetPhase()), 100*r.GetProgress(), plain(r.GetMessage()))
	if r.GetEvaluation() != nil {
		text = fmt.Sprintf("%-13s       %s", phaseName(r.GetPhase()), plain(r.GetMessage()))
	}
	if s.over {
		s.wipe()
	}
	_, _ = fmt.Fprint(s.out, text) // showing is not worth an error
	if s.open = !lasting; lasting {
		_, _ = fmt.Fprintln(s.out)
	}
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
	state := ""
	if m.GetActive() {
		state = ", in service"
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
	rows := []string{"algorithm\t" + strings.Join(metrics, "\t") + "\tusers\tfit"}
	for _, e := range m.GetEvaluations() {
		row := e.GetAlgorithm()
		for _, name := range metrics {
			row += fmt.Sprintf("\t%.4f", e.GetMetrics()[name])
		}
		rows = append(rows, row+fmt.Sprintf("\t%d\t%.2f s", e.GetUsers(), e.GetFitSeconds()))
	}
	p.table("  ", rows)
}
