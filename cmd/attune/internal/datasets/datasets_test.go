package datasets

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// files writes files by their path below a new folder; those that end in .gz are gzip'ed.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		data := []byte(text)
		if strings.HasSuffix(name, ".gz") {
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			_, err := w.Write(data)
			if err := errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			data = packed.Bytes()
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// signal is an interaction with an item by its id.
func signal(t *testing.T, d *feedback.Dataset, item string, weight float32, at int64) feedback.Signal {
	t.Helper()
	return feedback.Signal{Item: numbers(t, d, item)[0], Weight: weight, At: at}
}

// numbers are those of items that are known.
func numbers(t *testing.T, d *feedback.Dataset, items ...string) []int32 {
	t.Helper()
	all := make([]int32, len(items))
	for k, item := range items {
		i, ok := d.Index(item)
		if !ok {
			t.Fatalf("item %q is not known", item)
		}
		all[k] = i
	}
	slices.Sort(all)
	return all
}

func same(t *testing.T, got []eval.Case, want ...eval.Case) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other cases (-want +got):\n%s", diff)
	}
}

// isCounted holds Counted to the users, items and interactions of Train, and a user's history
// to weights of 1.
func isCounted(t *testing.T, s *Set, user string, want ...feedback.Signal) {
	t.Helper()
	if s.Counted == nil {
		t.Fatal("nothing is counted")
	}
	size := func(d *feedback.Dataset) [3]int { return [3]int{d.Users(), d.Items(), d.Interactions()} }
	if size(s.Counted) != size(s.Train) {
		t.Errorf("counted are %v users, items and interactions of %v", size(s.Counted), size(s.Train))
	}
	if history, _ := s.Counted.History(user); !slices.Equal(history, want) {
		t.Errorf("counted: %v, want %v", history, want)
	}
}

func TestMovieLens(t *testing.T) {
	s, err := Open(MovieLens, files(t, map[string]string{
		"movielens-100k/msr_split_item_train.tsv.gz": "1\t10\t4\t300\n1\t20\t1\t100\n2\t20\t5\t200\n",
		"movielens-100k/msr_split_item_test.tsv":     "2\t10\t1\t9\n\n2\t99\t3\t9\r\n1\t30\t1\t9\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	d := s.Train
	if d.Users() != 2 || d.Items() != 2 || d.Interactions() != 3 || s.Protocol.K != 10 || s.Protocol.Seen || len(s.Published) != 6 {
		t.Errorf("%+v", s)
	}
	same(t, s.Cases,
		eval.Case{History: []feedback.Signal{signal(t, d, "20", 5, 200)}, Hidden: numbers(t, d, "20"), Relevant: numbers(t, d, "10"), Unknown: 1},
		eval.Case{History: []feedback.Signal{signal(t, d, "20", 1, 100), signal(t, d, "10", 4, 300)}, Hidden: numbers(t, d, "10", "20"), Unknown: 1})
	isCounted(t, s, "1", signal(t, d, "20", 1, 100), signal(t, d, "10", 1, 300))
}

func TestGowalla(t *testing.T) {
	s, err := Open(Gowalla, files(t, map[string]string{
		"gowalla/train.txt.gz": "0 5 7 \n1 7\n2\n",
		"gowalla/test.txt.gz":  "0 9 9\n1 5 6\n2 \n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	d := s.Train
	same(t, s.Cases,
		eval.Case{History: []feedback.Signal{signal(t, d, "5", 1, 0), signal(t, d, "7", 1, 0)}, Hidden: numbers(t, d, "5", "7"), Unknown: 1},
		eval.Case{History: []feedback.Signal{signal(t, d, "7", 1, 0)}, Hidden: numbers(t, d, "7"), Relevant: numbers(t, d, "5"), Unknown: 1})
	if s.Protocol.K != 20 || s.Protocol.Seen || s.Metrics[0] != eval.Recall {
		t.Errorf("%+v", s.Protocol)
	}
}

func TestYoochoose(t *testing.T) {
	s, err := Open(Yoochoose, files(t, map[string]string{
		"yoochoose64/train_sessions.txt.gz": "a b a\nc b\n",
		"yoochoose64/test_examples.tsv.gz":  "b x a b\tc\nx\tb\nc\ty\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	d := s.Train
	if d.Users() != 2 || d.Interactions() != 5 || !s.Protocol.Seen || s.Protocol.Cut != eval.CutNext {
		t.Errorf("%d users, %d interactions, %+v", d.Users(), d.Interactions(), s.Protocol)
	}
	if history, _ := d.History("1"); !slices.Equal(history, []feedback.Signal{signal(t, d, "c", 1, 3600), signal(t, d, "b", 1, 3601)}) {
		t.Errorf("the second session: %v", history)
	}
	same(t, s.Cases,
		eval.Case{History: []feedback.Signal{signal(t, d, "b", 1, 7200), signal(t, d, "a", 1, 7202), signal(t, d, "b", 1, 7203)}, Relevant: numbers(t, d, "c")},
		eval.Case{History: []feedback.Signal{}, Relevant: numbers(t, d, "b")},
		eval.Case{History: []feedback.Signal{signal(t, d, "c", 1, 7200)}, Unknown: 1})
}

func TestRetailRocket(t *testing.T) {
	s, err := Open(RetailRocket, files(t, map[string]string{
		"retailrocket/events_train.csv.gz": "timestamp,user,event,item\n10,1,view,a\n20,1,cart,a\n30,1,buy,a\n40,2,view,b\n",
		"retailrocket/test_buy.csv.gz":     "user,item\n1,b\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	d := s.Train
	same(t, s.Cases, eval.Case{
		History: []feedback.Signal{signal(t, d, "a", 1, 10), signal(t, d, "a", 3, 20), signal(t, d, "a", 5, 30)}, Hidden: numbers(t, d, "a"), Relevant: numbers(t, d, "b"),
	})
	if !s.Intervals || len(s.Algorithms) != 4 {
		t.Errorf("%+v", s)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		set, file, text, want string
	}{
		"columns missing": {MovieLens, "movielens-100k/msr_split_item_train.tsv", "1\t2\t3\t4\n1\t2\t3\n", "msr_split_item_train.tsv:2: must have user, item"},
		"no time":         {MovieLens, "movielens-100k/msr_split_item_train.tsv", "1\t2\t3\tnoon\n", `:1: the time "noon" must be`},
		"no rating":       {MovieLens, "movielens-100k/msr_split_item_train.tsv", "1\t2\t0\t4\n", `:1: the weight or rating "0" must be a number above 0`},
		"nothing":         {Gowalla, "gowalla/train.txt", "1\n", "train.txt has no interactions"},
		"no such file":    {Gowalla, "gowalla/other.txt", "", "there is no train.txt, plain or .gz, in "},
		"no such event":   {RetailRocket, "retailrocket/events_train.csv", "timestamp,user,event,item\n1,1,glance,1\n", `events_train.csv:2: the event "glance" must be`},
		"no item":         {RetailRocket, "retailrocket/events_train.csv", "timestamp,user,event,item\n1,1,view,\n", ":2: user and item must not be empty"},
		"short line":      {RetailRocket, "retailrocket/events_train.csv", "timestamp,user,event,item\n1,1,view,1\n1,1\n", ":3: wrong number of fields"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(test.set, files(t, map[string]string{test.file: test.text}))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := Open("netflix", ""); err == nil {
		t.Error("an unknown set was opened")
	}
	_, err := Open(Yoochoose, files(t, map[string]string{"yoochoose64/train_sessions.txt": "1 2\n", "yoochoose64/test_examples.tsv": "1 2\n"}))
	if err == nil || !strings.Contains(err.Error(), "test_examples.tsv:1: must have items parted by spaces, a tab") {
		t.Error(err)
	}
	_, err = Open(Yoochoose, files(t, map[string]string{"yoochoose64/train_sessions.txt": "1 2\n", "yoochoose64/test_examples.tsv": "\n"}))
	if err == nil || !strings.Contains(err.Error(), "has nothing to test") || errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
