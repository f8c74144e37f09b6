// Command attune is Attune in one binary: the server, and what talks to it.
// Each command is a struct in a file of its name, with its flags as fields.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// CLI is the command line. Each flag may also come from the environment, as ATTUNE_ and
// its name, or from the YAML file that --config names; the nearest to the command wins.
type CLI struct {
	Config kong.ConfigFlag `help:"YAML file that gives flags by their names." placeholder:"FILE"`

	Serve          serveCmd          `cmd:"" help:"Serve gRPC and REST."`
	Demo           demoCmd           `cmd:"" help:"Make a small shop, stream it in, train, and recommend to three visitors."`
	Import         importCmd         `cmd:"" help:"Stream a file of events in."`
	Train          trainCmd          `cmd:"" help:"Train a model on the history."`
	Models         modelsCmd         `cmd:"" help:"The trained versions, and which one is in service."`
	Evaluate       evaluateCmd       `cmd:"" help:"Measure the training on a public data set, beside what others reached."`
	EvaluateBuyers evaluateBuyersCmd `cmd:"" help:"Measure how well who will purchase is foretold, on a file of events."`
	Recommend      recommendCmd      `cmd:"" help:"Recommend items to a visitor."`
	Items          itemsCmd          `cmd:"" help:"The catalog, and lists around its items."`
	User           userCmd           `cmd:"" help:"What is known of a visitor."`
	Segment        segmentCmd        `cmd:"" help:"Groups of users by what they do: who is in, who came in, who left."`
	Webhook        webhookCmd        `cmd:"" help:"URLs of the shop that are told who enters and who leaves segments."`
	Migrate        migrateCmd        `cmd:"" help:"Make the keyspace in ScyllaDB, or bring it to this version."`
	Verify         verifyCmd         `cmd:"" help:"Make every visitor's features again from the history and compare."`
	Version        versionCmd        `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	parser := kong.Must(new(CLI),
		kong.Name("attune"),
		kong.Description("Recommendations and insights for shops that already know the visitor's last event."),
		kong.Configuration(settings),
		kong.DefaultEnvars("ATTUNE"),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindTo(os.Stdout, (*io.Writer)(nil)),
	)
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := command.Run(); err != nil && !errors.Is(err, context.Canceled) {
		parser.Errorf("%s", oneLine(err))
		os.Exit(1)
	}
}

// oneLine returns an error's text, where errors are joined with each but once.
func oneLine(err error) string {
	var said []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	return strings.Join(said, "; ")
}
