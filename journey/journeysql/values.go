package journeysql

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/cxkit/cxkit/profile"
)

// encodeValues writes values as a JSON object, as profile does, without the
// detour of reflection for the usual kinds.
func encodeValues(v profile.Values) string {
	b := make([]byte, 0, 32*len(v)+2)
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, name)
		b = append(b, ':')
		x := v[name]
		if s, ok := x.Text(); ok {
			b = appendText(b, s)
			continue
		}
		if n, ok := x.Int(); ok {
			b = strconv.AppendInt(b, n, 10)
			continue
		}
		text, err := x.MarshalJSON()
		if err != nil {
			text = []byte("null")
		}
		b = append(b, text...)
	}
	return string(append(b, '}'))
}

func appendText(b []byte, s string) []byte {
	if plain(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	text, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, text...)
}

// plain reports whether a text needs no escape in JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}

// decodeValues reads what encodeValues or PostgreSQL writes. Objects of plain
// texts and integers are read here, all others by the JSON package.
func decodeValues(s string) (profile.Values, error) {
	if v, ok := decodePlain(s); ok {
		return v, nil
	}
	var v profile.Values
	err := json.Unmarshal([]byte(s), &v)
	return v, err
}

func decodePlain(s string) (profile.Values, bool) {
	if len(s) < 2 || s[0] != '{' {
		return nil, false
	}
	v := profile.Values{}
	i := skip(s, 1)
	if s[i:] == "}" {
		return v, true
	}
	for {
		name, next, ok := quoted(s, i)
		if !ok {
			return nil, false
		}
		if i = skip(s, next); i >= len(s) || s[i] != ':' {
			return nil, false
		}
		i = skip(s, i+1)
		if i >= len(s) {
			return nil, false
		}
		if s[i] == '"' {
			var text string
			if text, i, ok = quoted(s, i); !ok {
				return nil, false
			}
			v[name] = profile.Text(text)
		} else {
			from := i
			for i < len(s) && (s[i] == '-' || '0' <= s[i] && s[i] <= '9') {
				i++
			}
			n, err := strconv.ParseInt(s[from:i], 10, 64)
			if err != nil {
				return nil, false
			}
			v[name] = profile.Int(n)
		}
		if i = skip(s, i); i >= len(s) {
			return nil, false
		}
		switch {
		case s[i:] == "}":
			return v, true
		case s[i] != ',':
			return nil, false
		}
		i = skip(s, i+1)
	}
}

func skip(s string, i int) int {
	for i < len(s) && s[i] == ' ' {
		i++
	}
	return i
}

// quoted reads a text without escapes.
func quoted(s string, i int) (text string, next int, ok bool) {
	if i >= len(s) || s[i] != '"' {
		return "", i, false
	}
	for j := i + 1; j < len(s); j++ {
		switch c := s[j]; {
		case c == '"':
			return s[i+1 : j], j + 1, true
		case c == '\\' || c < ' ':
			return "", i, false
		}
	}
	return "", i, false
}
