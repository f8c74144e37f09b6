package main_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// isServed holds the row that went through a server to the one that did not, to three digits of
// every metric.
func isServed(t *testing.T, args ...string) {
	t.Helper()
	out, err := run(t, append([]string{"evaluate", "--served", "--output", "json"}, args...)...)
	var answer struct {
		Rows []struct {
			Model   string
			Metrics map[string]float64
		}
	}
	if err != nil || json.Unmarshal(out, &answer) != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	rows := map[string]map[string]float64{}
	for _, r := range answer.Rows {
		rows[r.Model] = r.Metrics
	}
	offline, served := rows["auto"], rows["auto, served"]
	if len(offline) == 0 || len(served) != len(offline) {
		t.Fatalf("%v: %s", args, out)
	}
	for name, x := range offline {
		if !(math.Abs(served[name]-x) < .0005) || x == 0 {
			t.Errorf("%v: %s is %.5f offline and %.5f served", args, name, x, served[name])
		}
	}
}

// TestEvaluateServed makes a shop of people who come back to what they like, one of whom did more
// than a state keeps, several things in one second.
func TestEvaluateServed(t *testing.T) {
	const people, items, kinds = 150, 400, 8
	random := rand.New(rand.NewPCG(1, 1))
	var train, rated, test, clicks, visits strings.Builder
	fmt.Fprintln(&train, "user,item,time,event")
	fmt.Fprintln(&rated, "user,item,rating,time")
	for u := range people {
		n, taken := 12, map[int]bool{}
		if u == 0 {
			n = 300
		}
		for len(taken) < n {
			item := random.IntN(items/kinds)*kinds + u%kinds
			if u == 0 || random.IntN(4) == 0 {
				item = random.IntN(items)
			}
			if taken[item] {
				continue
			}
			taken[item] = true
			at := 1_600_000_000 + 1000*u + len(taken)/3
			fmt.Fprintf(&train, "u%d,i%d,%d,%s\n", u, item, at, [...]string{"view", "view", "cart", "buy"}[random.IntN(4)])
			fmt.Fprintf(&rated, "u%d,i%d,%d,%d\n", u, item, 1+random.IntN(5), at)
		}
		for item := u % kinds; item < items; item += kinds {
			if !taken[item] && random.IntN(3) == 0 {
				fmt.Fprintf(&test, "u%d,i%d\n", u, item)
			}
		}
	}
	fmt.Fprintln(&test, "stranger,i1")
	for v := range 400 {
		at := random.IntN(items)
		for range 6 {
			fmt.Fprintf(&clicks, "%d\ti%d\n", v, at)
			if v%4 == 0 {
				fmt.Fprintf(&visits, "%d\ti%d\n", v, at)
			}
			at = (at + 1 + random.IntN(3)) % items
		}
		fmt.Fprintf(&visits, "%d\tnowhere\n%d\ti%d\n", v, v, at)
	}
	dir := t.TempDir()
	for name, b := range map[string]*strings.Builder{"train": &train, "rated": &rated, "test": &test, "clicks": &clicks, "visits": &visits} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"--train", "train", "--test", "test"},
		{"--train", "train", "--test", "test", "--protocol", "leave-one-out", "--k", "20"},
		{"--train", "train", "--test", "test", "--seen"},
		{"--train", "rated", "--test", "test"},
		{"--train", "clicks", "--test", "visits", "--protocol", "next-item"},
		{"--train", "clicks", "--test", "visits", "--protocol", "next-item", "--no-seen"},
	} {
		isServed(t, append([]string{"--dataset", "csv", "--data", dir}, args...)...)
	}

	for name, text := range map[string]string{
		"heavy": "user,item,weight\na,x,7\n", "among": "user,item\na,x\n", "tested": "a,x\n", "negatives": "(a,x)\ty\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		`--served: the weight 7 of user "a" and item "x" is that of no event`: {"--train", "heavy", "--test", "tested"},
		"--served: lists are of the whole catalog":                            {"--train", "among", "--test", "tested", "--negatives", "negatives"},
	} {
		oneLine(t, fails(t, append([]string{"evaluate", "--served", "--dataset", "csv", "--data", dir}, args...)...), want)
	}
}

// TestEvaluateServedPublic takes two public data sets through a server.
func TestEvaluateServedPublic(t *testing.T) {
	dir := cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data")
	for _, name := range []string{"movielens-100k", "retailrocket"} {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("no %s in %s; set ATTUNE_TEST_DATA to the folder of the data sets", name, dir)
		}
	}
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, name := range []string{"ml100k", "retailrocket"} {
		isServed(t, "--data", dir, "--algorithm", "auto", "--dataset", name)
	}
}
