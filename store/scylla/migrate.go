package scylla

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/gocql/gocql"

	"github.com/attune-shop/attune/model/event"
)

// format is what a keyspace was made with. It never changes.
type format struct {
	// ID tells the keyspace from any other, and from another of its name.
	ID     string
	Shards int
}

// schema is the version that a keyspace was migrated to.
type schema struct{ Version int }

// MigrateOptions say how a keyspace is made.
type MigrateOptions struct {
	// Replication is the number of copies in each datacenter, of a keyspace that is made now.
	Replication int
	// Shards is the number of log shards of a keyspace that is made now.
	Shards int
	// DryRun prints the CQL that would run instead of running it.
	DryRun bool
}

const (
	migrateLease    = "migrate"
	migrateLeaseTTL = 30 * time.Second
	migratePatience = 2 * time.Minute
)

// CheckKeyspace refuses, with event.InvalidError, a name that would need quotes, or that servers refuse.
func CheckKeyspace(name string) error {
	if !keyspaceName.MatchString(name) {
		return event.Invalid("keyspace", "must be a-z, 0-9 and _, begin with a letter and have at most 48 characters, is %q", name)
	}
	return nil
}

var keyspaceName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// Migrate makes a keyspace or brings it to this version, and says on out what it does. It
// may run again, and at the same time as others: one works, the others wait.
func Migrate(ctx context.Context, options Options, migrate MigrateOptions, out io.Writer) error {
	options = options.withDefaults()
	options.Timeout, options.Patience = 20*time.Second, migratePatience // schema changes take their time
	if err := CheckKeyspace(options.Keyspace); err != nil {
		return err
	}
	switch {
	case migrate.Replication < 1 || migrate.Replication > 9:
		return event.Invalid("replication", "must be 1..9, is %d", migrate.Replication)
	case migrate.Shards < 1 || migrate.Shards > 1024:
		return event.Invalid("shards", "must be 1..1024, is %d", migrate.Shards)
	}
	server, err := connect(options, "")
	if err != nil {
		return err
	}
	defer server.Close()
	exists, err := keyspaceExists(ctx, server, options.Keyspace)
	if err != nil {
		return err
	}
	m := &migration{options: options, migrate: migrate, out: out}
	if !exists {
		create := createKeyspace(ctx, server, options.Keyspace, migrate.Replication)
		m.say("%s;", create)
		if migrate.DryRun {
			m.say("USE %s;", options.Keyspace)
			m.sayAll(bootstrap)
			for _, statements := range migrations {
				m.sayAll(statements)
			}
			return m.failed
		}
		if err := m.change(ctx, server, create); err != nil {
			return err
		}
	}
	if err := server.AwaitSchemaAgreement(ctx); err != nil {
		return fmt.Errorf("nodes do not agree on the schema: %w", translate(err))
	}
	var session *gocql.Session
	if err := settled(ctx, func() (err error) {
		session, err = connect(options, options.Keyspace)
		return err
	}); err != nil {
		return err
	}
	defer session.Close()
	m.store = newStore(session, options)
	return errors.Join(m.run(ctx), m.failed)
}

// settled repeats a step while it finds no keyspace or table that is listed: another migration is
// making it, and it is listed a moment before it can be used.
func settled(ctx context.Context, step func() error) error {
	for deadline := time.Now().Add(migratePatience); ; {
		err := step()
		unmade := errors.Is(err, gocql.ErrNoConnectionsStarted) ||
			mistaken(err) && (strings.Contains(err.Error(), "does not exist") || strings.Contains(err.Error(), "unconfigured table"))
		if !unmade || time.Now().After(deadline) {
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

// wait lets others go on for a moment.
func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(200 * time.Millisecond):
		return nil
	}
}

func keyspaceExists(ctx context.Context, server *gocql.Session, keyspace string) (bool, error) {
	var name string
	err := server.Query(`SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?`, keyspace).WithContext(ctx).Scan(&name)
	if errors.Is(err, gocql.ErrNotFound) {
		return false, nil
	}
	return err == nil, translate(err)
}

// createKeyspace returns the statement that makes a keyspace on this server.
func createKeyspace(ctx context.Context, server *gocql.Session, keyspace string, replication int) string {
	create := fmt.Sprintf(`CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': %d}`, keyspace, replication)
	// A ScyllaDB that has tablets had no lightweight transactions on them for long; vnodes
	// always have. Other servers know neither this table nor the option.
	var name string
	err := server.Query(`SELECT keyspace_name FROM system_schema.scylla_keyspaces LIMIT 1`).WithContext(ctx).Scan(&name)
	if err == nil || errors.Is(err, gocql.ErrNotFound) {
		create += ` AND tablets = {'enabled': false}`
	}
	return create
}

// migration is one under way.
type migration struct {
	options Options
	migrate MigrateOptions
	store   *Store
	out     io.Writer
	failed  error // of out
}

func (m *migration) say(format string, args ...any) {
	if _, err := fmt.Fprintf(m.out, format+"\n", args...); err != nil && m.failed == nil {
		m.failed = err
	}
}

func (m *migration) sayAll(statements []string) {
	for _, s := range statements {
		m.say("%s;", strings.Join(strings.Fields(s), " "))
	}
}

// change runs a statement that changes the schema, on one node whoever runs it, for nodes
// that make the same table at the same time would make two of it.
func (m *migration) change(ctx context.Context, session *gocql.Session, statement string) error {
	least := ""
	for _, host := range session.GetHosts() {
		if id := host.HostID(); host.IsUp() && (least == "" || id < least) {
			least = id
		}
	}
	query := session.Query(statement).WithContext(ctx)
	if least != "" {
		query = query.SetHostID(least)
	}
	if err := query.Exec(); err != nil {
		return fmt.Errorf("%s: %w", firstLine(statement), translate(err))
	}
	if err := session.AwaitSchemaAgreement(ctx); err != nil {
		return fmt.Errorf("nodes do not agree on the schema: %w", translate(err))
	}
	return nil
}

func firstLine(statement string) string {
	line, _, _ := strings.Cut(statement, "\n")
	return line
}

// run brings the keyspace to this version.
func (m *migration) run(ctx context.Context) error {
	var version int
	err := settled(ctx, func() (err error) {
		version, err = m.version(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("keyspace %s has schema version %d, this binary knows %d: %w", m.options.Keyspace, version, len(migrations), event.ErrNewerVersion)
	}
	if m.migrate.DryRun {
		if version == 0 {
			m.sayAll(bootstrap)
		}
		for _, statements := range migrations[version:] {
			m.sayAll(statements)
		}
		return nil
	}
	if version == 0 {
		for _, statement := range bootstrap {
			if err := m.change(ctx, m.store.session, statement); err != nil {
				return err
			}
		}
	}
	holder := rand.Text()
	if err := m.lease(ctx, holder); err != nil {
		return err
	}
	defer func() { _ = m.store.EndLease(context.WithoutCancel(ctx), migrateLease, holder) }() // it ends by itself, too
	if version, err = m.version(ctx); err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		for _, statement := range migrations[version] {
			if err := m.lease(ctx, holder); err != nil {
				return err
			}
			if err := m.change(ctx, m.store.session, statement); err != nil {
				return err
			}
		}
		if err := changeRegister(ctx, m.store, schemaRegister, func(s *schema) error {
			s.Version = max(s.Version, version+1)
			return nil
		}); err != nil {
			return err
		}
		m.say("schema version %d", version+1)
	}
	var made format
	if err := changeRegister(ctx, m.store, formatRegister, func(f *format) error {
		if f.ID == "" {
			*f = format{ID: strings.ToLower(rand.Text()[:10]), Shards: m.migrate.Shards}
		}
		made = *f
		return nil
	}); err != nil {
		return err
	}
	m.say("keyspace %s is at schema version %d, with %d shards", m.options.Keyspace, version, made.Shards)
	return nil
}

// version is 0 where there is nothing yet.
func (m *migration) version(ctx context.Context) (int, error) {
	var name string
	err := m.store.one(ctx, []any{&name}, `SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'registers'`, m.options.Keyspace)
	if errors.Is(err, event.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var s schema
	_, err = m.store.register(ctx, schemaRegister, &s)
	return s.Version, err
}

// lease waits until nobody else migrates.
func (m *migration) lease(ctx context.Context, holder string) error {
	for deadline := time.Now().Add(migratePatience); ; {
		err := m.store.Lease(ctx, migrateLease, holder, migrateLeaseTTL)
		if err != nil && strings.Contains(err.Error(), "tablets") {
			return fmt.Errorf("the keyspace has tablets, on which this server has no lightweight transactions: make it WITH tablets = {'enabled': false}, or update the server: %w", err)
		}
		if !errors.Is(err, event.ErrBusy) || time.Now().After(deadline) {
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

// readFormat checks that the keyspace is one that this binary can serve.
func (s *Store) readFormat(ctx context.Context) (format, error) {
	m := &migration{options: s.options, store: s}
	version, err := m.version(ctx)
	switch {
	case err != nil:
		return format{}, err
	case version > len(migrations):
		return format{}, fmt.Errorf("has schema version %d, this binary knows %d: %w", version, len(migrations), event.ErrNewerVersion)
	case version < len(migrations):
		return format{}, fmt.Errorf("has schema version %d, this binary needs %d: run attune migrate", version, len(migrations))
	}
	var f format
	if _, err := s.register(ctx, formatRegister, &f); err != nil {
		return f, err
	}
	if f.ID == "" || f.Shards < 1 {
		return f, errors.New("was not migrated to the end: run attune migrate")
	}
	return f, nil
}
