package datasets

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// TestTables reads the same two lines in all the forms that they may have.
func TestTables(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		weight float32
		at     int64
	}{
		"user and item":  {"u,i\nv,j\n", 1, 0},
		"time":           {"u,i,50\nv,j,60\n", 1, 50},
		"rating, time":   {"u\ti\t4\t50\nv\tj\t1\t60\n", 4, 50},
		"spaces":         {"u i 50\nv j 60", 1, 50},
		"header":         {"\ufeffitem,time,weight,user\r\ni,50,2.5,u\r\nj,60,1,v\r\n", 2.5, 50},
		"rating by name": {"userId,itemId,rating,timestamp\nu,i,4,50\nv,j,3,60\n", 4, 50},
		"events":         {"session_id\titem_id\ttype\tcolour\nu\ti\tadd_to_cart\tred\nv\tj\tclick\tblue\n", 3, 0},
		"RFC 3339":       {"u,i,1970-01-01T00:00:50Z\nv,j,60.5\n", 1, 50},
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, map[string]string{"t": test.text})
			var all []record
			if err := eachRecord(filepath.Join(dir, "t"), func(r record) error { all = append(all, r); return nil }); err != nil {
				t.Fatal(err)
			}
			want := record{user: "u", item: "i", weight: test.weight, rated: strings.HasPrefix(name, "rating"), at: test.at, timed: test.at > 0}
			if len(all) != 2 || all[0] != want || all[1].user != "v" || all[1].item != "j" {
				t.Errorf("%+v, want %+v", all, want)
			}
		})
	}
}

func TestTablesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                                ": is empty",
		"u\n":                             ":1: has 1 columns; without a header",
		"u,i\nv\n":                        ":2: wrong number of fields",
		"u,i,-1\n":                        ":1: the time",
		"u,i,NaN\n":                       ":1: the time",
		"u,i,99999999999\n":               "must be Unix seconds from 0 to 4294967295",
		"user,item,weight\nu,i,1\nu,i,0":  `:3: the weight or rating "0" must be a number above 0`,
		"u,i,4,50\nu,i,0,50\n":            `:2: the weight or rating "0" must be a number above 0`,
		"user,item,weight\nu,i,Inf\n":     `:2: the weight or rating "Inf" must be`,
		"u,i\n\"u,i\n":                    ":2: ",
		"user,item\nu,i\n,i\n":            ":3: user and item must not be empty",
		"user,item,event\nu,i,sneezing\n": `:2: the event "sneezing" must be addtocart, buy,`,
	} {
		dir := files(t, map[string]string{"t": text})
		err := eachRecord(filepath.Join(dir, "t"), func(record) error { return nil })
		if err == nil || !strings.Contains(strings.Replace(err.Error(), " is empty", ": is empty", 1), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestTopK(t *testing.T) {
	dir := files(t, map[string]string{"train": "u,a,10\nu,b,5\nv,c,7\n", "test": "u,c\nw,a\nu,z\n"})
	f := Files{Train: filepath.Join(dir, "train"), Test: filepath.Join(dir, "test"), Protocol: TopK, K: 3}
	s, err := OpenCSV(f)
	if err != nil {
		t.Fatal(err)
	}
	d := s.Train
	known := eval.Case{
		History: []feedback.Signal{signal(t, d, "b", 1, 5), signal(t, d, "a", 1, 10)}, Hidden: numbers(t, d, "a", "b"), Relevant: numbers(t, d, "c"), Unknown: 1,
	}
	same(t, s.Cases, known, eval.Case{Relevant: numbers(t, d, "a")})
	f.Seen = true
	if s, err = OpenCSV(f); err != nil {
		t.Fatal(err)
	}
	known.Hidden = nil
	same(t, s.Cases, known, eval.Case{Relevant: numbers(t, d, "a")})
}

func TestLeaveOneOut(t *testing.T) {
	for name, negatives := range map[string]string{
		"as NCF has them": "(u,c)\tb\td\tx\n(v,a)\td\n",
		"by commas":       "u,c,b,d,x\nv, a, d\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := files(t, map[string]string{"train": "u\ta\t4\t10\nv\tb\t1\t20\nv\tc\t1\t30\nw\td\t1\t1\n", "test": "u\tc\t5\t40\nv\ta\t1\t50\n", "negatives": negatives})
			s, err := OpenCSV(Files{
				Train: filepath.Join(dir, "train"), Test: filepath.Join(dir, "test"), Negatives: filepath.Join(dir, "negatives"), Protocol: LeaveOneOut, K: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			d := s.Train
			same(t, s.Cases,
				eval.Case{History: []feedback.Signal{signal(t, d, "a", 4, 10)}, Hidden: numbers(t, d, "a"), Relevant: numbers(t, d, "c"), Candidates: []int32{2, 1, 3}},
				eval.Case{History: []feedback.Signal{signal(t, d, "b", 1, 20), signal(t, d, "c", 1, 30)}, Hidden: numbers(t, d, "b", "c"), Relevant: numbers(t, d, "a"), Candidates: []int32{0, 3}})
			isCounted(t, s, "u", signal(t, d, "a", 1, 10))
		})
	}
	for negatives, want := range map[string]string{
		"(u,c)\tb\n(u,c)\td\n": ":2: has user \"u\" and item \"c\" for the second time",
		"(u c)\tb\n":           ":1: must have (user,item)",
		"u,c\n":                ":1: must have (user,item)",
		"u,c,,d\n":             ":1: must have (user,item)",
		"u,d,c\n":              `negatives has no line for user "u" and item "c"`,
	} {
		dir := files(t, map[string]string{"train": "u,a\nv,c\n", "test": "u,c\n", "negatives": negatives})
		_, err := OpenCSV(Files{
			Train: filepath.Join(dir, "train"), Test: filepath.Join(dir, "test"), Negatives: filepath.Join(dir, "negatives"), Protocol: LeaveOneOut, K: 2,
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", negatives, err, want)
		}
	}
}

func TestNextItem(t *testing.T) {
	dir := files(t, map[string]string{
		"train":    "s,b,20\nr,a,5\ns,a,10\ns,c,20\n", // by time: s is a, b, c; b and c at once
		"untimed":  "s,a\nr,a\ns,b\ns,c\n",
		"test":     "q,b,100\nq,a,90\np,c,90\nq,z,110\n",
		"prefixes": "a b\tc\n",
	})
	f := Files{Train: filepath.Join(dir, "train"), Test: filepath.Join(dir, "test"), Protocol: NextItem, K: 2, Seen: true}
	s, err := OpenCSV(f)
	if err != nil {
		t.Fatal(err)
	}
	d := s.Train
	if history, _ := d.History("s"); !slices.Equal(history, []feedback.Signal{signal(t, d, "a", 1, 10), signal(t, d, "b", 1, 20), signal(t, d, "c", 1, 21)}) {
		t.Errorf("the session: %v", history)
	}
	same(t, s.Cases,
		eval.Case{History: []feedback.Signal{signal(t, d, "a", 1, 22)}, Relevant: numbers(t, d, "b")},
		eval.Case{History: []feedback.Signal{signal(t, d, "a", 1, 22), signal(t, d, "b", 1, 23)}, Unknown: 1})

	f.Train, f.Test, f.Prefixes = filepath.Join(dir, "untimed"), "", filepath.Join(dir, "prefixes")
	if s, err = OpenCSV(f); err != nil {
		t.Fatal(err)
	}
	same(t, s.Cases, eval.Case{History: []feedback.Signal{signal(t, s.Train, "a", 1, 3601), signal(t, s.Train, "b", 1, 3602)}, Relevant: numbers(t, s.Train, "c")})
}

// TestLongSessionsStayHidden: what a history is too short for is known all the same.
func TestLongSessionsStayHidden(t *testing.T) {
	b := feedback.NewBuilder()
	b.Add("u", "a", 1, 0)
	b.Add("u", "b", 1, 0)
	d := b.Build()
	prefix := append([]string{"a"}, slices.Repeat([]string{"b"}, feedback.MaxHistory)...)
	c := newPrefix(d, prefix, "a", 0)
	var want []feedback.Signal
	for n := range feedback.MaxHistory {
		want = append(want, signal(t, d, "b", 1, int64(n+1)))
	}
	if !slices.Equal(c.History, want) {
		t.Errorf("a history of %d is not the newest %d", len(c.History), feedback.MaxHistory)
	}
	if !slices.Contains(c.Hidden, numbers(t, d, "a")[0]) {
		t.Errorf("the oldest is not among the %d hidden", len(c.Hidden))
	}
}

func TestSessionsFitTheClock(t *testing.T) {
	for _, n := range []int64{0, 1, 116_167, 10_000_000, 1 << 33} {
		if step := sessionStep(int(n)); step < 1 || n < 1<<32 && step*n > 1<<32 {
			t.Errorf("%d sessions %d seconds apart", n, step)
		}
	}
}
