package register_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/register"
)

type count struct {
	Version int `json:"version"`
	N       int `json:"n"`
}

func (c *count) Form() *int { return &c.Version }

// TestChanges: those who change a register at the same time lose nothing, and who fails changes nothing.
func TestChanges(t *testing.T) {
	s, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var changing sync.WaitGroup
	for range 8 {
		changing.Go(func() {
			for range 5 {
				if _, _, err := register.Change(t.Context(), s, "count", func(c *count) error { c.N++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	changing.Wait()
	refuse := errors.New("no")
	if _, _, err := register.Change(t.Context(), s, "count", func(c *count) error { c.N++; return refuse }); !errors.Is(err, refuse) {
		t.Error(err)
	}
	got, version, err := register.Read[count](t.Context(), s, "count")
	if err != nil || got.N != 40 || got.Version != 1 || version == "" {
		t.Errorf("%+v at %q, %v", got, version, err)
	}
}

// TestDecode tells damage from what a newer release wrote.
func TestDecode(t *testing.T) {
	for text, want := range map[string]error{
		"": nil, `{"n":1}`: nil, `{`: event.ErrCorrupt, `{"n":"one"}`: event.ErrCorrupt,
		`{"version":2}`: event.ErrNewerVersion, `{"version":2,"n":"two"}`: event.ErrNewerVersion,
	} {
		if _, err := register.Decode[count]("count", []byte(text)); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

type text struct {
	Version int    `json:"version"`
	Text    string `json:"text"`
}

func (t *text) Form() *int { return &t.Version }

// TestTooLarge: what a register does not take is refused, but where it makes what is there already less.
func TestTooLarge(t *testing.T) {
	s, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	set := func(bytes int) error {
		_, _, err := register.Change(t.Context(), s, "text", func(x *text) error { x.Text = strings.Repeat("x", bytes); return nil })
		return err
	}
	if err := set(register.MaxBytes); !errors.Is(err, register.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := s.SetRegister(t.Context(), "text", "", []byte(`{"version":1,"text":"`+strings.Repeat("x", 2*register.MaxBytes)+`"}`)); err != nil {
		t.Fatal(err) // as a release did that knew no bound
	}
	if err := set(register.MaxBytes + 1000); err != nil {
		t.Error(err)
	}
	if err := set(register.MaxBytes + 2000); !errors.Is(err, register.ErrTooLarge) {
		t.Error(err)
	}
}
