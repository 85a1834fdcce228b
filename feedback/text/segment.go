package text

import (
	"fmt"
	"unicode/utf8"
)

// Words is a [Segmenter] by vocabulary: words set apart by spaces as they are,
// Chinese by the longest known word from left to right, unknown characters one
// by one. The zero Words knows no vocabulary.
type Words struct{ known *trie }

// NewWords returns a segmenter that knows the words given. The error matches
// [ErrInvalid] for an empty or over-long word.
func NewWords(vocabulary []string) (*Words, error) {
	w := &Words{known: &trie{}}
	for i, v := range vocabulary {
		term := foldText(v).text
		if term == "" || utf8.RuneCountInString(term) > maxTermRunes {
			return nil, fmt.Errorf("%w: vocabulary: word %d is empty or longer than %d characters", ErrInvalid, i, maxTermRunes)
		}
		w.known.add(term, i+1)
	}
	return w, nil
}

const maxTermRunes = 64

// Segment implements [Segmenter].
func (w *Words) Segment(text string) []Span {
	f := foldText(text)
	var out []Span
	for i := 0; i < len(f.text); {
		r, n := utf8.DecodeRuneInString(f.text[i:])
		switch {
		case w.known != nil:
			if end, _, ok := w.known.longest(f.text, i); ok {
				out = append(out, f.span(i, end))
				i = end
				continue
			}
			fallthrough
		default:
			if wordRune(r) {
				end := wordEnd(f.text, i)
				out = append(out, f.span(i, end))
				i = end
				continue
			}
			if wide(r) {
				out = append(out, f.span(i, i+n))
			}
			i += n
		}
	}
	return out
}

// wordEnd is the end of the word set apart by spaces that begins at i; an
// apostrophe within it belongs to it.
func wordEnd(text string, i int) int {
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == '\'' {
			if next, _ := utf8.DecodeRuneInString(text[i+n:]); !wordRune(next) {
				return i
			}
		} else if !wordRune(r) {
			return i
		}
		i += n
	}
	return i
}
