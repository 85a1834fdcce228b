package intake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"strings"
	"unicode/utf8"
)

// row is one row of the input: a line of CSV, perhaps of several lines of
// text, or one of JSON.
type row struct {
	line  int    // where it begins, from 1
	raw   string // with what was skipped before it, and with the line end
	text  string // of raw, the row
	cells []string
	json  map[string]any
	fault string // why it cannot be read; empty if it can
}

// lines reads rows of text and keeps count of what was consumed.
type lines struct {
	in     *bufio.Reader
	max    int
	quoted bool // rows may go on within quotes
	comma  byte
	line   int // lines read
}

// next reads a row, skipping empty lines. At the end it is io.EOF.
func (l *lines) next() (row, error) {
	var raw []byte
	var r row
	start := 0 // of the row in raw
	state := cellStart
	for {
		from := len(raw)
		more, err := l.physical(&raw)
		if err != nil {
			return row{line: max(r.line, l.line+1)}, err
		}
		if !more {
			if r.line == 0 {
				return row{}, io.EOF
			}
			return r, ErrTooLong // within quotes
		}
		l.line++
		if r.line == 0 {
			if len(bytes.TrimSpace(raw[from:])) == 0 {
				start = len(raw)
				continue
			}
			r.line = l.line
		}
		if l.quoted {
			state = scan(state, raw[from:], l.comma)
		}
		if state != inQuotes {
			break
		}
	}
	r.raw = string(raw)
	r.text = string(trimEnd(raw[start:]))
	return r, nil
}

// physical appends one line of text; more is false at the end of the input.
func (l *lines) physical(raw *[]byte) (more bool, err error) {
	for {
		part, err := l.in.ReadSlice('\n')
		*raw = append(*raw, part...)
		switch {
		case len(*raw) > l.max:
			return false, ErrTooLong
		case err == nil:
			return true, nil
		case errors.Is(err, io.EOF):
			return len(part) > 0, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return false, err
		}
	}
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// The states of the scanner of CSV.
type scanState uint8

const (
	cellStart scanState = iota
	inCell
	inQuotes
	quoteInQuotes
)

// scan advances over one line: after it, inQuotes means that the row goes on.
func scan(s scanState, line []byte, comma byte) scanState {
	for _, c := range line {
		switch {
		case s == inQuotes:
			if c == '"' {
				s = quoteInQuotes
			}
		case c == comma:
			s = cellStart
		case c == '"' && (s == cellStart || s == quoteInQuotes):
			s = inQuotes
		default:
			s = inCell
		}
	}
	return s
}

// splitCSV cuts a row into its cells.
func splitCSV(text string, comma byte) (cells []string, fault string) {
	for {
		if !strings.HasPrefix(text, `"`) {
			end := strings.IndexByte(text, comma)
			cell := text
			if end >= 0 {
				cell = text[:end]
			}
			if strings.IndexByte(cell, '"') >= 0 {
				return nil, "a quote stands inside a cell that is not quoted"
			}
			cells = append(cells, cell)
			if end < 0 {
				return cells, ""
			}
			text = text[end+1:]
			continue
		}
		var cell strings.Builder
		for text = text[1:]; ; {
			end := strings.IndexByte(text, '"')
			if end < 0 {
				return nil, "a quote is not closed"
			}
			cell.WriteString(text[:end])
			text = text[end+1:]
			if !strings.HasPrefix(text, `"`) {
				break
			}
			cell.WriteByte('"')
			text = text[1:]
		}
		cells = append(cells, cell.String())
		if text == "" {
			return cells, ""
		}
		if text[0] != comma {
			return nil, "text follows a closing quote"
		}
		text = text[1:]
	}
}

// textFault says why the text of a row is none.
func textFault(s string) string {
	switch {
	case !utf8.ValidString(s):
		return strings.TrimPrefix(ErrEncoding.Error(), "intake: ")
	case strings.IndexByte(s, 0) >= 0:
		return "holds a NUL byte"
	}
	return ""
}

// readJSON reads a row of JSON lines.
func readJSON(text string) (map[string]any, string) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil {
		return nil, "is not a JSON object"
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, "more than one JSON value stands on the line"
	}
	return object, ""
}

// skipBOM passes over a byte order mark and refuses those of UTF-16. The bytes
// count for the hash.
func skipBOM(in *bufio.Reader, h hash.Hash) (skipped int, err error) {
	head, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		h.Write(head)
		return in.Discard(3)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return 0, ErrEncoding
	}
	return 0, nil
}
