package storetest

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"github.com/attune-shop/attune/store"
)

// register returns a register's value as text and its version.
func (s *suite) register(name string) (value, version string) {
	s.Helper()
	data, version, err := s.Register(s.ctx, name)
	s.must(err)
	return string(data), version
}

var registerCases = []testCase{
	{"registers/one that was never set has no value and no version", func(s *suite) {
		// Stores may have registers of their own.
		for _, name := range []string{"segments", "schema", "format", "models", "a b/ü"} {
			value, version, err := s.Register(s.ctx, name)
			s.must(err)
			if value != nil || version != "" {
				s.Errorf("%s is %q at version %q", name, value, version)
			}
			s.wants(second(s.SetRegister(s.ctx, name, "1", []byte("x"))), store.ErrTaken)
			s.must(second(s.SetRegister(s.ctx, name, "", []byte(name))))
		}
		s.reopen()
		value, _ := s.register("format")
		s.equal("format", value)
	}},
	{"registers/who has not read the newest version stores nothing", func(s *suite) {
		first, err := s.SetRegister(s.ctx, "segments", "", []byte("a"))
		s.must(err)
		s.wants(second(s.SetRegister(s.ctx, "segments", "", []byte("x"))), store.ErrTaken)
		value, version := s.register("segments")
		s.equal([]string{"a", first}, []string{value, version})
		next, err := s.SetRegister(s.ctx, "segments", first, []byte("b"))
		s.must(err)
		s.wants(second(s.SetRegister(s.ctx, "segments", first, []byte("x"))), store.ErrTaken)
		s.wants(second(s.SetRegister(s.ctx, "segments", "", []byte("x"))), store.ErrTaken)
		value, version = s.register("segments")
		s.equal([]string{"b", next}, []string{value, version})
	}},
	{"registers/a version never comes back, whatever is stored", func(s *suite) {
		seen, version := map[string]bool{"": true}, ""
		for range 4 {
			for _, value := range [][]byte{[]byte("a"), []byte("a"), nil, {}} {
				var err error
				version, err = s.SetRegister(s.ctx, "segments", version, value)
				s.must(err)
				if seen[version] {
					s.Errorf("version %q again", version)
				}
				seen[version] = true
				got, at := s.register("segments")
				s.equal([]string{string(value), version}, []string{got, at})
			}
			s.reopen()
		}
	}},
	{"registers/a value survives a crash", func(s *suite) {
		version, err := s.SetRegister(s.ctx, "segments", "", []byte("a"))
		s.must(err)
		version, err = s.SetRegister(s.ctx, "segments", version, []byte("b"))
		s.must(err)
		s.crash()
		value, at := s.register("segments")
		s.equal([]string{"b", version}, []string{value, at})
	}},
	{"registers/a value may be of 1 MiB and of any bytes", func(s *suite) {
		great := bytes.Repeat([]byte{0, 255, '"', 'x'}, 1<<18)
		version, err := s.SetRegister(s.ctx, "segments", "", great)
		s.must(err)
		great[1<<20-1] = 'y'
		version, err = s.SetRegister(s.ctx, "segments", version, great)
		s.must(err)
		value, at := s.register("segments")
		if value != string(great) || at != version {
			s.Errorf("%d bytes at version %q", len(value), at)
		}
	}},
	{"registers/of writers that race each counts", func(s *suite) {
		const writers, each = 4, 5
		var running sync.WaitGroup
		for range writers {
			running.Go(func() {
				for n := 0; n < each; {
					value, version, err := s.Register(s.ctx, "segments")
					if err == nil {
						_, err = s.SetRegister(s.ctx, "segments", version, append(value, 'x'))
					}
					switch {
					case err == nil:
						n++
					case !errors.Is(err, store.ErrTaken):
						s.Error(err)
						return
					}
				}
			})
		}
		running.Wait()
		value, _ := s.register("segments")
		s.equal(strings.Repeat("x", writers*each), value)
	}},
}

// second is the error that comes with a result.
func second[R any](_ R, err error) error { return err }

// third is the error that comes with two results.
func third[A, B any](_ A, _ B, err error) error { return err }
