package scylla

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// documented are the forms of CQL that ScyllaDB documents as supported, as far as they are used
// here: https://docs.scylladb.com/manual/stable/cql/.
var documented = func() []*regexp.Regexp {
	const (
		name    = `[a-z_]+`
		names   = name + `(?:, ` + name + `)*`
		value   = `(?:\?|'[a-z]+'|"[a-z]+")`
		where   = name + ` (?:=|<|<=|>|>=|IN) ` + value
		token   = `token\(` + name + `\) (?:<=|>=) \?`
		wheres  = `(?:` + where + `|` + token + `)(?: AND (?:` + where + `|` + token + `))*`
		columns = name + ` (?:int|bigint|text|blob)(?: PRIMARY KEY)?`
		key     = `, PRIMARY KEY \((?:` + names + `|\(` + names + `\)(?:, ` + names + `)?)\)`
		options = ` WITH compaction = \{'class': '(?:SizeTiered|Leveled|TimeWindow)CompactionStrategy'\}`
	)
	var forms []*regexp.Regexp
	for _, form := range []string{
		`SELECT (?:DISTINCT )?` + names + ` FROM (?:system_schema\.)?` + name + `(?: WHERE ` + wheres + `)?(?: ORDER BY ` + name + ` DESC)?(?: LIMIT (?:[0-9]+|\?))?`,
		`INSERT INTO ` + name + ` \(` + names + `\) VALUES \(\?(?:, \?)*\)(?: IF NOT EXISTS)?(?: USING (?:TTL|TIMESTAMP) \?)?`,
		`UPDATE ` + name + `(?: USING TTL \?)? SET ` + name + ` = \? WHERE ` + wheres + ` IF ` + name + ` = \?`,
		`DELETE FROM ` + name + `(?: USING TIMESTAMP \?)? WHERE ` + wheres + `(?: IF ` + name + ` = \?)?`,
		`CREATE TABLE IF NOT EXISTS ` + name + ` \(` + columns + `(?:, ` + columns + `)*(?:` + key + `)?\)(?:` + options + `)?`,
		`CREATE KEYSPACE IF NOT EXISTS %s WITH replication = \{'class': 'NetworkTopologyStrategy', 'replication_factor': %d\}`,
	} {
		forms = append(forms, regexp.MustCompile(`^`+form+`$`))
	}
	return forms
}()

// TestEveryStatementIsDocumented reads the CQL in the package's source and finds each statement
// among the forms that ScyllaDB documents, so that nothing is used that only Cassandra has.
func TestEveryStatementIsDocumented(t *testing.T) {
	verb := regexp.MustCompile(`^(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE|BEGIN|GRANT|USE|LIST) `)
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Error(err)
			}
			text = strings.Join(strings.Fields(text), " ")
			if verb.MatchString(text) && text != "USE %s;" {
				seen++
				if !isDocumented(text) {
					t.Errorf("%s: not among the documented forms: %s", file.Name(), text)
				}
			}
			return true
		})
	}
	if seen < 30 {
		t.Errorf("only %d statements seen", seen)
	}
}

func isDocumented(statement string) bool {
	for _, form := range documented {
		if form.MatchString(statement) {
			return true
		}
	}
	return false
}

func TestWhatIsNotDocumented(t *testing.T) {
	for _, statement := range []string{
		`CREATE TABLE IF NOT EXISTS x (a int PRIMARY KEY) WITH compaction = {'class': 'UnifiedCompactionStrategy'}`,
		`CREATE CUSTOM INDEX ON x (a) USING 'StorageAttachedIndex'`,
		`SELECT a FROM x ORDER BY v ANN OF ?`,
		`BEGIN TRANSACTION`,
	} {
		if isDocumented(statement) {
			t.Errorf("taken for documented: %s", statement)
		}
	}
}
