package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLineBytes bounds one line of a file: an event with 10 MB of attributes still reaches
// the server, which names what is wrong with it.
const maxLineBytes = 12 << 20

// lineReader gives a file's lines one after the other and counts what becomes of them.
type lineReader struct {
	from    *bufio.Reader
	line    []byte // of a line longer than the reader's buffer
	lines   int64
	skipped tally
	started bool
}

func newLineReader(r io.Reader) lineReader {
	return lineReader{from: bufio.NewReaderSize(r, 1<<16)}
}

// header returns the first line, which does not count, and io.EOF where there is none.
func (l *lineReader) header() ([]byte, error) {
	line, err := l.next()
	if err == nil {
		l.lines--
	}
	return line, err
}

// next returns a line without its end, valid until the next call. Lines that are too long
// and blank ones are skipped.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, tooLong, err := l.read()
		if err != nil {
			return nil, err
		}
		l.lines++
		switch {
		case tooLong:
			l.skip("line too long", nil)
		case len(bytes.TrimSpace(line)) == 0:
			l.skip("blank line", nil)
		default:
			return line, nil
		}
	}
}

// read returns one line as it is.
func (l *lineReader) read() (line []byte, tooLong bool, err error) {
	l.line = l.line[:0]
	for {
		part, err := l.from.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("after line %d: %w", l.lines, err)
		}
		whole := err == nil || errors.Is(err, io.EOF)
		if whole && len(l.line) == 0 && !tooLong {
			line = part
		} else if tooLong = tooLong || len(l.line)+len(part) > maxLineBytes; !tooLong {
			l.line = append(l.line, part...)
			line = l.line
		}
		if errors.Is(err, io.EOF) && len(line) == 0 && !tooLong {
			return nil, false, io.EOF
		}
		if whole {
			break
		}
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if !l.started {
		l.started = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	return line, tooLong, nil
}

// skip leaves the line out that was read last.
func (l *lineReader) skip(reason string, line []byte) {
	l.leaveOut(reason, l.lines, line)
}

// leaveOut leaves out a line that was read earlier.
func (l *lineReader) leaveOut(reason string, number int64, line []byte) {
	example := ""
	if r := l.skipped.byReason[reason]; r == nil {
		if example = fmt.Sprintf("line %d", number); line != nil {
			example += ": " + clip(line)
		}
	}
	l.skipped.add(reason, example, 0, 1)
}

// clip returns the beginning of a line, for people.
func clip(line []byte) string {
	const most = 120
	if len(line) > most {
		return string(bytes.ToValidUTF8(line[:most], []byte("\uFFFD"))) + "..."
	}
	return string(bytes.ToValidUTF8(line, []byte("\uFFFD")))
}

// Lines implements Source.
func (l *lineReader) Lines() int64 { return l.lines }

// Skipped implements Source.
func (l *lineReader) Skipped() []Reason { return l.skipped.list() }

// splitCSV appends the fields of one line, as RFC 4180 writes them, to fields. A field that
// holds a line break is not read: a line is a record, so that one stray quote costs one
// line and not the rest of the file. It is false where quotes do not match.
func splitCSV(line []byte, fields []string) ([]string, bool) {
	for {
		if len(line) == 0 || line[0] != '"' {
			field, rest, more := bytes.Cut(line, []byte{','})
			fields = append(fields, string(field))
			if !more {
				return fields, true
			}
			line = rest
			continue
		}
		field, rest, ok := quoted(line[1:])
		fields = append(fields, string(field))
		if !ok || len(rest) > 0 && rest[0] != ',' {
			return fields, false
		}
		if len(rest) == 0 {
			return fields, true
		}
		line = rest[1:]
	}
}

// quoted reads up to the closing quote and returns what comes after it.
func quoted(s []byte) (field, rest []byte, ok bool) {
	for {
		before, after, found := bytes.Cut(s, []byte{'"'})
		if !found {
			return nil, nil, false
		}
		if len(after) == 0 || after[0] != '"' {
			if field == nil {
				return before, after, true
			}
			return append(field, before...), after, true
		}
		field = append(append(field, before...), '"')
		s = after[1:]
	}
}
