package text

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

// ErrInvalid reports rules, models or options that break a stated rule.
var ErrInvalid = errors.New("text: invalid")

// Span is a part of a text: the bytes from Start until before End.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Of returns the part of the text; "" where the span lies outside of it.
func (s Span) Of(text string) string {
	if s.Start < 0 || s.End > len(text) || s.Start > s.End {
		return ""
	}
	return text[s.Start:s.End]
}

// Segmenter cuts a text into words, in order and without overlap. What is no
// word (spaces, punctuation) is left out.
type Segmenter interface {
	Segment(text string) []Span
}

// Scorer tells the sentiment of a text: −1 bad, 0 neither or not known, +1 good.
type Scorer interface {
	Score(text string) float64
}

// Tagger finds what a text mentions, ordered by position.
type Tagger interface {
	Tag(text string) []Mention
}

// fold makes forms that mean the same equal: full-width ASCII becomes plain, the
// ideographic space a space, upper case lower, curly apostrophes straight.
func fold(r rune) rune {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E:
		r -= 0xFEE0
	case r == 0x3000 || r == 0x00A0:
		r = ' '
	case r == '‘' || r == '’':
		r = '\''
	}
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(r)
}

// folded is a text in folded form with the way back to the original.
type folded struct {
	text string
	// at maps each byte of text, and its end, to the original.
	at []int
}

func foldText(s string) folded {
	f := folded{at: make([]int, 0, len(s)+1)}
	b := make([]byte, 0, len(s))
	for i, r := range s {
		n := len(b)
		b = utf8.AppendRune(b, fold(r))
		for range len(b) - n {
			f.at = append(f.at, i)
		}
	}
	f.at = append(f.at, len(s))
	f.text = string(b)
	return f
}

// span translates a span of the folded text.
func (f folded) span(start, end int) Span { return Span{f.at[start], f.at[end]} }

// wide reports whether a rune belongs to a script written without spaces.
func wide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// wordRune reports whether a rune is part of a word that spaces set apart.
func wordRune(r rune) bool {
	return !wide(r) && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r))
}

// clauses cuts a text where one statement ends: at stops, semicolons, commas,
// line breaks, and before a word that turns it around ("but", "但是").
func clauses(f folded) []Span {
	var out []Span
	start := 0
	cut := func(end, next int) {
		if end > start {
			out = append(out, Span{start, end})
		}
		start = next
	}
	for i, r := range f.text {
		n := utf8.RuneLen(r)
		switch r {
		case '.':
			// Not within a number or an address.
			if next, _ := utf8.DecodeRuneInString(f.text[i+n:]); wordRune(next) {
				continue
			}
			cut(i, i+n)
		case '。', '!', '?', ';', ',', '，', '；', '！', '？', '、', '\n', '\r', '…', '~', '～':
			cut(i, i+n)
		default:
			for _, turn := range turns {
				if i > start && hasWord(f.text, i, turn) {
					cut(i, i)
					break
				}
			}
		}
	}
	cut(len(f.text), len(f.text))
	return out
}

var turns = []string{"但是", "但", "不过", "可是", "可惜", "只是", "就是", "however", "but", "although", "though", "while"}

// hasWord reports whether the folded text has the term at i, set apart on both
// sides where its ends are of a script that sets words apart.
func hasWord(text string, i int, term string) bool {
	if len(text)-i < len(term) || text[i:i+len(term)] != term {
		return false
	}
	return boundary(text, i) && boundary(text, i+len(term))
}

// boundary reports whether no word runs across the position.
func boundary(text string, i int) bool {
	if i <= 0 || i >= len(text) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	after, _ := utf8.DecodeRuneInString(text[i:])
	return !wordRune(before) || !wordRune(after)
}
